"""The workflow by the real Snakemake: targets, subsets, reruns, failures."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import CHECKOUT, edit, run, run_cli

from deriv_ops import MemoryEngine, load_catalog, read_provenance
from deriv_ops.rules import mock_snakemake
from deriv_ops.sample import write_market

TOY = ["fin_rdt_1d_all", "fin_rdt_1d_std", "clustervol", "fin_pricez1d", "fin_pricedevz1d_byvol"]
TOY += ["fin_std260d_Z1d_bysectors", "fin_pricedevz1d_byuniver", "a"]


def reruns(folder: Path, *arguments: str) -> set[str]:
    """The rules that a run would run now."""
    out = run(folder, "--dry-run", *arguments).stdout
    table = out.partition("Job stats:")[2].partition("total")[0]
    rules = {line.split()[0] for line in table.splitlines()[3:] if line.split()}
    if not arguments:
        # What the results themselves say agrees with Snakemake.
        assert set(run_cli(folder, "ls", "--out-of-date").split()) == rules - {"all"}
    return rules


def result(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(next((folder / "results").rglob(f"{name}.parquet")))


@pytest.mark.slow
def test_new_processes_write_the_files_that_warm_workers_do(finished: Path, project: Path):
    run(project, "--cores", "2", "--forceall")
    files = sorted((project / "results/temporary").glob("*.parquet"))
    assert [file.stem for file in files] == sorted(TOY)
    for file in files:
        assert file.read_bytes() == (finished / "results/temporary" / file.name).read_bytes()


def test_every_derivation_is_what_one_process_computes(finished: Path, monkeypatch):
    monkeypatch.syspath_prepend(finished)
    catalog = load_catalog(finished / "deriv_ops/catalogs/toy.py")
    engine = MemoryEngine(finished / "results/sample_market")
    for variable in catalog:
        frame = engine.compute(variable)
        assert variable.name in ("marketcap", "sectors_isin") or frame.notna().any(axis=None)
        pd.testing.assert_frame_equal(result(finished, variable.name), frame, check_exact=True)


def test_each_result_has_its_provenance(finished: Path):
    read = read_provenance(finished / "results/temporary/fin_pricedevz1d_byvol.parquet")
    parents = ["Temporary.fin_pricez1d", "Temporary.clustervol"]
    assert read["derivation"] == "Temporary.fin_pricedevz1d_byvol"
    assert read["operator"] == "deriv_ops.operators.calc_dev_by:calc_dev_by"
    assert read["params"] == {"do_reduce": False, "time_varying": True, "by": None}
    assert read["parents"] == list(read["digests"]["inputs"]) == parents
    parent = read_provenance(finished / "results/temporary/fin_pricez1d.parquet")
    assert read["digests"]["inputs"]["Temporary.fin_pricez1d"] == parent["digests"]["result"]
    assert read["versions"]["pandas"] == pd.__version__


def test_each_job_has_its_log(finished: Path):
    logs = {path.stem for path in (finished / "logs/temporary").glob("*.log")}
    assert logs == set(TOY)
    assert "fin_pricez1d: 300 x 12" in (finished / "logs/temporary/fin_pricez1d.log").read_text()


@pytest.mark.parametrize("target", ["clustervol", "results/temporary/clustervol.parquet"])
def test_a_target_is_a_rule_or_a_file(project: Path, target):
    shutil.rmtree(project / "results/temporary")
    assert reruns(project, target) == {"clustervol", "fin_rdt_1d_all", "fin_rdt_1d_std"}


@pytest.mark.parametrize("given", ["list", "text", "file"])
def test_a_subset_by_vars_to_launch(project: Path, given):
    shutil.rmtree(project / "results/temporary")
    wanted = ["fin_rdt_1d_std", "fin_pricez1d"]
    (project / "vars.txt").write_text("\n".join(wanted))
    value = {"list": json.dumps(wanted), "text": "\n".join(wanted), "file": "vars.txt"}[given]
    expected = {"all", "fin_rdt_1d_all", *wanted}
    assert reruns(project, "--config", f"vars_to_launch={value}") == expected


def test_nothing_reruns_without_a_reason(project: Path):
    assert reruns(project) == set()


def test_a_comment_a_touch_and_a_fresh_clone_rerun_nothing(project: Path):
    edit(
        project / "deriv_ops/operators/zscore.py",
        "    return like",
        "    # the end\n    return like",
    )
    edit(
        project / "deriv_ops/operators/zscore.py",
        "Change over `period` rows, less",
        "The change less",
    )
    for name in CHECKOUT:
        for path in [project / name, *(project / name).rglob("*")]:
            path.touch()
    assert reruns(project) == set()
    assert reruns(project, "--profile", "profiles/local") == set()


def test_another_operator_s_code_reruns_what_uses_it_and_what_follows(project: Path):
    edit(project / "deriv_ops/operators/ewmstd.py", "ROWS_A_YEAR = 260", "ROWS_A_YEAR = 252")
    assert reruns(project) == {"all", "fin_rdt_1d_std", "clustervol", "fin_pricedevz1d_byvol"}


def test_a_kernel_s_code_reruns_what_calls_it(project: Path):
    file = project / "deriv_ops/kernels/windows.py"
    edit(file, "np.sqrt(squares * (count * inverse))", "(squares * (count * inverse)) ** 0.5")
    assert reruns(project) == {"all", *TOY[3:]}


@pytest.mark.slow
def test_another_precision_reruns_all_and_another_codec_nothing(project: Path):
    edit(project / "config/config.yaml", "codec: none", "codec: lz4")
    assert reruns(project) == set()
    edit(project / "config/config.yaml", "precision: float64", "precision: float32")
    assert reruns(project) == {"all", "all_prices", "marketcap", "sectors_isin", *TOY}
    exact = result(project, "fin_pricez1d")
    run(project, "--profile", "profiles/local", "fin_pricez1d")
    stored = result(project, "fin_pricez1d")
    assert set(stored.dtypes) == {np.dtype("float32")}
    assert (stored.isna() == exact.isna()).all(axis=None)
    # Prices have seven digits then, and their changes three or four.
    assert (stored - exact).abs().max(axis=None) < 0.05


def test_other_params_rerun_what_follows(project: Path):
    edit(project / "deriv_ops/catalogs/toy.py", "'levels': 5", "'levels': 4")
    assert reruns(project) == {"all", "clustervol", "fin_pricedevz1d_byvol"}


def test_the_same_params_in_other_words_rerun_nothing(project: Path):
    edit(
        project / "deriv_ops/catalogs/toy.py",
        "'h': 1, 'minp': 60, 'inpct': True",
        "'min_periods': 60",
    )
    assert reruns(project) == set()


def test_two_swapped_params_rerun(project: Path):
    catalog = project / "deriv_ops/catalogs/toy.py"
    edit(catalog, "'span': 260, 'min_periods': 20", "'span': 20, 'min_periods': 260")
    assert reruns(project) == {"all", "fin_rdt_1d_std", "clustervol", "fin_pricedevz1d_byvol"}


@pytest.mark.slow
def test_two_swapped_parents_rerun(project: Path):
    catalog = project / "deriv_ops/catalogs/toy.py"
    with catalog.open("a") as file:
        file.write("    link = Var(op.correl, [fin_pricez1d, fin_rdt_1d_all], {'window': 20})\n")
    assert reruns(project) == {"all", "link"}
    run(project)
    edit(catalog, "[fin_pricez1d, fin_rdt_1d_all]", "[fin_rdt_1d_all, fin_pricez1d]")
    assert reruns(project) == {"all", "link"}


@pytest.mark.slow
def test_a_changed_input_reruns_what_depends_on_it(project: Path):
    sectors = project / "results/sample_market/Sectors.csv"
    lines = sectors.read_text().splitlines()
    sectors.write_text("\n".join(lines[:-1]) + "\n")
    assert reruns(project) == {"all", "sectors_isin", "fin_std260d_Z1d_bysectors"}
    before = result(project, "fin_std260d_Z1d_bysectors")
    run(project)
    after = result(project, "fin_std260d_Z1d_bysectors")
    ticker = lines[-1].split(",")[0]
    assert after[ticker].isna().all()
    assert not after.equals(before)
    assert reruns(project) == set()


@pytest.mark.slow
def test_inputs_of_the_user_s(project: Path):
    mine = project / "mine"
    write_market(mine, dates=100, shares=5, seed=3)
    for file in mine.glob("*.csv"):
        pd.read_csv(file, dtype=str, keep_default_na=False).to_csv(f"{file}.gz", index=False)
        file.unlink()
    run(project, "fin_pricez1d", "--config", "inputs_dir=mine", "results_dir=out")
    out = pd.read_parquet(project / "out/temporary/fin_pricez1d.parquet")
    expected = MemoryEngine(mine).compute(load_catalog("deriv_ops.catalogs.toy")["fin_pricez1d"])
    pd.testing.assert_frame_equal(out, expected, check_exact=True)
    assert not (project / "out/sample_market").exists()


def test_a_catalog_in_a_file_with_an_operator_and_a_reader_of_its_own(project: Path):
    (project / "mine").mkdir()
    (project / "mine/tables.py").write_text(
        "import pandas as pd\n"
        "def semicolons(path):\n"
        "    return pd.read_csv(path, sep=';', index_col=0, parse_dates=True)\n"
    )
    (project / "mine/prices.txt").write_text("date;A\n2020-01-01;1\n2020-01-02;3\n")
    (project / "mine/catalog.py").write_text(
        "from deriv_ops import AbstractDerivation, FileVar, Frame, Var, operator\n"
        "from tables import semicolons\n"
        "@operator()\n"
        "def doubled(x: Frame, /) -> Frame:\n    return x * 2\n"
        "class Mine(AbstractDerivation):\n"
        "    prices = FileVar('prices.txt', reader=semicolons)\n"
        "    twice = Var(doubled, prices)\n"
    )
    config = ["--config", "catalog=mine/catalog.py", "inputs_dir=mine"]
    run(project, *config)
    assert result(project, "twice")["A"].tolist() == [2.0, 6.0]
    edit(project / "mine/tables.py", "index_col=0", "index_col='date'")
    assert reruns(project, *config) == {"all", "prices", "twice"}


def test_the_script_runs_by_hand(project: Path):
    path = project / "results/temporary/clustervol.parquet"
    before = path.read_bytes()
    path.unlink()
    subprocess.run(
        [sys.executable, "workflow/scripts/derive.py", "clustervol"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project)},
        check=True,
        timeout=60,
    )
    assert path.read_bytes() == before


def test_lint_finds_nothing(project: Path):
    assert "good condition" in run(project, "--lint").stdout


# Failures.


def test_a_broken_catalog_ends_the_run_with_its_mistakes(project: Path):
    catalog = project / "deriv_ops/catalogs/toy.py"
    edit(catalog, "op.pctdelta", "op.pctdeltaa")
    edit(catalog, "'levels': 5", "'level': 5")
    out = run(project, "--dry-run", check=False)
    assert out.returncode == 1
    assert "2 mistakes in the catalog deriv_ops.catalogs.toy:" in out.stdout
    assert "toy.py:18: Temporary.fin_rdt_1d_all: there is no operator 'pctdeltaa'" in out.stdout
    assert "Traceback" not in out.stdout


@pytest.mark.parametrize(
    "config, told",
    [
        ("inputs_dir=nowhere", "Basic.all_prices: there is no file nowhere/all_prices.csv"),
        ("vars_to_launch=clustervoll", "clustervoll; did you mean 'clustervol'?"),
        ("vars_to_launch=vars.txt", "vars.txt, and there is no such file"),
        ("catalog=no.such.catalog", "No module named 'no'"),
        ("reslts_dir=x", "reslts_dir: no such key; did you mean 'results_dir'?"),
        ("sample_dates=0", "sample_dates: 0 is less than the minimum of 1"),
    ],
)
def test_a_bad_configuration_ends_the_run_with_the_reason(project: Path, config, told):
    out = run(project, "--dry-run", "--config", config, check=False)
    assert out.returncode == 1
    assert told in out.stdout


@pytest.mark.slow
def test_a_failed_derivation_names_itself_its_file_and_the_mend(project: Path):
    sectors = project / "results/sample_market/Sectors.csv"
    sectors.write_text(
        sectors.read_text().replace("sector", "gics", 1).replace("name", "company", 1)
    )
    out = run(project, "--profile", "profiles/local", check=False)
    assert out.returncode == 1
    told = "Temporary.fin_std260d_Z1d_bysectors: calc_dev_by: the table of groups has no column"
    assert told in out.stdout
    assert "it has company, gics; name one with the parameter 'by'" in out.stdout
    assert told in (project / "logs/temporary/fin_std260d_Z1d_bysectors.log").read_text()
    assert not (project / "results/temporary/fin_std260d_Z1d_bysectors.parquet").exists()
    sectors.write_text(sectors.read_text().replace("gics", "sector", 1))
    run(project)
    assert reruns(project) == set()


def test_a_bad_cell_names_its_file_and_place(project: Path):
    prices = project / "results/sample_market/all_prices.csv"
    lines = prices.read_text().splitlines()
    date = lines[5].split(",")[0]
    lines[5] = ",".join([date, "n.a.", *lines[5].split(",")[2:]])
    prices.write_text("\n".join(lines) + "\n")
    out = run(project, check=False)
    ticker = lines[0].split(",")[1]
    told = f"results/sample_market/all_prices.csv: not numbers: 'n.a.' at {date}, {ticker}"
    assert told in out.stdout
    assert "Basic.all_prices: " in out.stdout


def test_a_bug_in_an_operator_shows_its_own_line(project: Path):
    edit(
        project / "deriv_ops/operators/pctdelta.py",
        "    return like",
        "    x.no_such\n    return like",
    )
    out = run(project, check=False).stdout
    assert "Temporary.fin_rdt_1d_all: AttributeError: 'DataFrame' object has no attribute" in out
    assert "    x.no_such" in out


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(project: Path):
    shutil.rmtree(project / "results/temporary")
    edit(project / "deriv_ops/catalogs/toy.py", "'seconds': 0", "'seconds': 30")
    command = [sys.executable, "-m", "snakemake"]
    started = subprocess.Popen(
        command,
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    # The job that waits is the last to end: kill all when the others have.
    others = [project / f"results/temporary/{name}.parquet" for name in TOY if name != "a"]
    for line in started.stdout:
        if "seconds=30" in line or all(path.exists() for path in others):
            break
    while not all(path.exists() for path in others):
        assert started.poll() is None
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    times = {path: path.stat().st_mtime_ns for path in others}
    edit(project / "deriv_ops/catalogs/toy.py", "'seconds': 30", "'seconds': 0")
    run(project, "--unlock")
    run(project, "--profile", "profiles/local")
    assert result(project, "a").equals(result(project, "fin_pricez1d"))
    assert sum(path.stat().st_mtime_ns == times[path] for path in others) >= len(others) - 1
    assert np.isfinite(list(times.values())).all()


def test_a_rule_asks_for_the_memory_that_its_frames_take(project: Path, monkeypatch):
    """300 x 12 is next to nothing beside the libraries."""
    monkeypatch.chdir(project)

    def asked(rule: str) -> int:
        return mock_snakemake(rule).resources.mem_mb

    assert asked("fin_pricez1d") == 331
    # An input table is read whole by a library, so nothing is known of it.
    assert asked("all_prices") == 1000
    # What can be taken block by block asks for no more than is allowed; clusters can't.
    edit(project / "config/config.yaml", "memory_mb: 1000", "memory_mb: 300")
    assert asked("fin_pricez1d") == 300
    assert asked("clustervol") == 331
    # What can't be read is told by the job; before it is there Snakemake knows no memory either.
    (project / "results/basic/all_prices.parquet").write_bytes(b"nothing")
    assert asked("fin_pricez1d") == 300
    (project / "results/basic/all_prices.parquet").unlink()
    with pytest.raises(FileNotFoundError, match="all_prices"):
        asked("fin_pricez1d")
    run(project, "--dry-run", "fin_pricez1d")
