"""The profiles by a dry-run, on a machine without Slurm and MPI."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import pytest
from conftest import ROOT, copy_checkout


@pytest.mark.parametrize(
    "name",
    [
        *("local", "myria"),
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("myria-jobs", "mpi", "kubernetes")),
    ],
)
def test_plans_anywhere_and_imports_nothing_large(name, tmp_path):
    folder = copy_checkout(tmp_path / "project")
    # As `make setup` does.
    (folder / name).symlink_to(f"profiles/{name}")
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "snakemake", "--profile", name, "--dry-run"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    assert "fin_pricez1d" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "snakemake_executor_plugin_dask.executor" in imported
    assert not imported & {"distributed", "dask_jobqueue", "mpi4py", "dask_kubernetes"}


@pytest.mark.parametrize(
    "name", ["local", "myria", "myria-jobs", "mpi", "kubernetes", "kubernetes-jobs"]
)
def test_each_line_is_explained(name):
    """A comment stands above each setting, or above the first of a group."""
    lines = (ROOT / "profiles" / name / "config.yaml").read_text().splitlines()
    assert lines[0].startswith("#")
    for before, line in itertools.pairwise(lines):
        if line and not line.startswith(("#", " ")):
            assert before, f"{line!r} stands alone"
