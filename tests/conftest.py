"""What the tests share: catalogs written on the spot, and runs of the real Snakemake."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from deriv_ops import Catalog, load_catalog

ROOT = Path(__file__).parent.parent
# What makes a checkout, as far as runs need it.
CHECKOUT = ("Snakefile", "workflow", "config", "profiles", "envs", "deriv_ops")
CHECKOUT += ("snakemake_logger_plugin_catalog",)


def copy_checkout(folder: Path) -> Path:
    """Copy the project, without set-up and results, to a new folder."""
    folder.mkdir(parents=True)
    # Compiled kernels are of use there too. Modules are compiled by tests that run beside this one.
    compiled = shutil.ignore_patterns("*.pyc*", "*.tmp*")
    for name in CHECKOUT:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=compiled)
        else:
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(autouse=True)
def clean_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A catalog given as a file adds its folder to the import path: not beyond the test."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if "pytest-" in file:
            del sys.modules[name]


@pytest.fixture
def catalog_of(tmp_path: Path) -> Callable[..., Catalog]:
    """Write the text of a catalog to a file and load it."""

    def load(text: str, **keywords) -> Catalog:
        head = "from deriv_ops import AbstractDerivation, FileVar, Map, Var, op, operator\n"
        file = tmp_path / "catalog.py"
        file.write_text(head + dedent(text))
        return load_catalog(file, **keywords)

    return load


def snakemake(*arguments: str, cwd: Path, check: bool = True, timeout: int = 120, **environment):
    """Run the real Snakemake in a folder; fail the test with what it printed if it fails."""
    # The plugin of this checkout, not that of another one which may be installed.
    path = [environment.pop("PYTHONPATH", None), str(ROOT / "snakemake-executor-plugin-dask")]
    run = subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=cwd,
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(filter(None, path))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
    )
    if check:
        assert run.returncode == 0, run.stdout
    return run


@pytest.fixture
def run_python() -> Callable[..., str]:
    """Run a piece of Python in a process of its own and return what it printed."""

    def run(code: str, returncode: int = 0, **environment: str) -> str:
        run = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert run.returncode == returncode, run.stderr
        return run.stdout

    return run


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the toy model has been computed once."""
    folder = copy_checkout(tmp_path_factory.mktemp("finished") / "project")
    edit(folder / "config/config.yaml", "dates: 780", "dates: 300")
    edit(folder / "config/config.yaml", "shares: 100", "shares: 12")
    edit(folder / "deriv_ops/catalogs/toy.py", "'min_periods': 260", "'min_periods': 20")
    edit(
        folder / "deriv_ops/catalogs/toy.py",
        "Var(op.wait_for_dask, fin_pricez1d, {})",
        "Var(op.wait_for_dask, fin_pricez1d, {'seconds': 0})",
    )
    run(folder, "--profile", "profiles/local")
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    """The same, for one test to change."""
    return Path(shutil.copytree(finished, tmp_path / "project"))


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file}"
    file.write_text(text.replace(old, new))


def run(folder: Path, *arguments: str, **keywords):
    # The project's own code, not that of the checkout which is installed.
    return snakemake(*arguments, cwd=folder, PYTHONPATH=str(folder), **keywords)


def run_cli(folder: Path, *arguments: str, code: int = 0) -> str:
    """Run `deriv-ops` in a folder and return what it printed."""
    path = [str(folder), str(ROOT / "snakemake-executor-plugin-dask")]
    run = subprocess.run(
        [sys.executable, "-m", "deriv_ops", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    assert run.returncode == code, run.stdout
    return run.stdout
