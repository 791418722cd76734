"""Each derivation a Slurm job, by snakemake-executor-plugin-slurm."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import copy_checkout, snakemake

from .daemons import Slurm, run

pytestmark = pytest.mark.slurm
SITE = Path("/etc/slurm/slurm.conf")


@pytest.fixture
def site(slurm: Slurm) -> Iterator[None]:
    """The plugin's jobs look for Slurm's configuration at its usual place only."""
    assert not SITE.exists() and not SITE.is_symlink(), f"{SITE} belongs to another Slurm"
    SITE.parent.mkdir(exist_ok=True)
    SITE.symlink_to(slurm.conf)
    yield
    SITE.unlink()


def test_derivations_as_jobs(slurm: Slurm, site: None, tmp_path: Path, monkeypatch):
    folder = copy_checkout(tmp_path / "project")
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    expected = ["fin_rdt_1d_all", "fin_rdt_1d_std"]
    snakemake("--profile", "profiles/local", *expected, cwd=folder)
    before = {name: _file(folder, name).read_bytes() for name in expected}
    arguments = ["--profile", "profiles/myria-jobs", *expected, "--force"]
    printed = snakemake(*arguments, cwd=folder, timeout=240).stdout
    assert printed.count("has been submitted with SLURM jobid") == 2, printed
    assert {name: _file(folder, name).read_bytes() for name in expected} == before
    assert not run("squeue", "-h")


def test_partition_that_is_not_there(slurm: Slurm, site: None, tmp_path: Path, monkeypatch):
    folder = copy_checkout(tmp_path / "project")
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    snakemake("--profile", "profiles/local", "fin_rdt_1d_all", cwd=folder)
    arguments = ["--profile", "profiles/myria-jobs", "fin_rdt_1d_all", "--force"]
    arguments += ["--default-resources", "slurm_partition=nope", "mem_mb=1000"]
    done = snakemake(*arguments, cwd=folder, timeout=240, check=False)
    assert done.returncode == 1
    assert "invalid partition specified: nope" in done.stdout


def test_small_derivations_share_jobs(slurm: Slurm, site: None, tmp_path: Path, monkeypatch):
    folder = copy_checkout(tmp_path / "project")
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    (folder / "names.txt").write_text("deviation\nskewness\nkurtosis\n")
    config = ["catalog=deriv_ops.catalogs.medium", "vars_to_launch=names.txt"]
    config += ["sample_dates=300", "sample_shares=20"]
    snakemake("--profile", "profiles/local", "--config", *config, cwd=folder)
    before = _results(folder)
    for name in before:
        (folder / name).unlink()
    arguments = ["--profile", "profiles/myria-jobs", "--config", *config, "group_by=level"]
    printed = snakemake(*arguments, cwd=folder, timeout=400).stdout
    assert _results(folder) == before
    assert len(before) == 10
    # The table, the returns, and the eight derivations of them.
    assert printed.count("has been submitted with SLURM jobid") == 3, printed


def _file(folder: Path, name: str) -> Path:
    return next((folder / "results").rglob(f"{name}.parquet"))


def _results(folder: Path) -> dict[str, bytes]:
    # The tables of the sample market lie deeper.
    files = (folder / "results").glob("*/*.parquet")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
