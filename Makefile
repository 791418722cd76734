# Two commands for a newcomer, `make demo` and `make test`; each does the set-up that it needs.

PYTHON ?= python3
BIN := .venv/bin
PLUGIN := snakemake-executor-plugin-dask
PROFILES := $(filter-out default,$(patsubst profiles/%/config.yaml,%,$(wildcard profiles/*/config.yaml)))

SLURM_TESTS := --numprocesses 4 --dist loadgroup tests/slurm
PLUGIN_TESTS := --rootdir $(PLUGIN) --config-file $(PLUGIN)/pyproject.toml $(PLUGIN)/tests

.PHONY: demo test test-slow test-slurm test-thorough check setup bench docs lock $(PROFILES)

demo: setup
	$(BIN)/snakemake --quiet rules
	@echo "The results are in results/, one Parquet file a derivation. The last days of one of them:"
	@$(BIN)/python -c 'import pandas; path = "results/temporary/fin_pricedevz1d_byvol.parquet"; \
	    print(path, pandas.read_parquet(path).iloc[-5:, :7].round(2), sep="\n")'

test: setup
	$(BIN)/pytest
	$(BIN)/pytest --numprocesses auto $(PLUGIN_TESTS)

# What takes longer than a person waits for. Of the tests of the plugin many wait for deadlines.
test-slow: setup
	$(BIN)/pytest -m 'slow and not thorough'
	$(BIN)/pytest -m 'slow and not thorough' --numprocesses 4 $(PLUGIN_TESTS)

# On a Slurm and an MPI that are installed, of which the tests start their own.
test-slurm: setup
	$(BIN)/pytest -m '(slurm or mpi) and not thorough' $(SLURM_TESTS)

# Variants of what the tests above try, before a release.
test-thorough: setup
	$(BIN)/pytest -m thorough --numprocesses 4 $(PLUGIN_TESTS)
	$(BIN)/pytest -m thorough $(SLURM_TESTS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	cd $(PLUGIN) && ../$(BIN)/mypy

setup: .venv/ready logs $(PROFILES)

.venv/ready: requirements-dev.lock pyproject.toml $(PLUGIN)/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "Python has no venv here; on Debian: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements-dev.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable . --editable $(PLUGIN)
	$(BIN)/python -m deriv_ops.kernels.warm
	@touch $@

# Where job scripts have Slurm write, which makes no folder.
logs:
	@mkdir -p $@

# Snakemake looks for `--profile NAME` in the current folder first, and never in profiles/. A link
# to each of ours makes the literal name work from here and leaves the user's own profiles alone.
$(PROFILES):
	@[ -L $@ ] || ln -s profiles/$@ $@

# What things cost here, most tables of docs/costs.md in one run (each says by which command it was
# made): an hour on two cores. Not on a machine that does something else.
MEASURED := benchmarks/results
bench: SHELL := bash
bench: setup
	mkdir -p $(MEASURED)
	set -e -o pipefail; for name in operators storage planning executor catalogs; do \
	    $(BIN)/python benchmarks/$$name.py | tee $(MEASURED)/$$name.txt; done

docs: setup
	$(BIN)/python docs/make.py

# The pins of what pyproject.toml allows: what runs need, and with it what development needs.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
    --no-annotate --no-header --no-emit-index-url --no-emit-find-links \
    --no-emit-package $(PLUGIN) pyproject.toml
lock: setup
	$(BIN)/pip install --quiet uv
	$(COMPILE) --output-file requirements.lock
	$(COMPILE) --extra dev --constraint requirements.lock --output-file requirements-dev.lock
	$(BIN)/python envs/pin.py
