"""The run, its scheduler and its workers in one MPI context, and workers alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from conftest import copy_checkout, snakemake

from .conftest import MANY, ONE
from .daemons import Slurm, wait_for

pytestmark = pytest.mark.mpi

PYTHON = [sys.executable, "-P", "-m"]
MODULE = [*PYTHON, "snakemake_executor_plugin_dask.mpi"]
MANY_ARGUMENTS = ["--executor", "dask", "--jobs", "10000", "--scheduler", "greedy"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Snakefile").write_text(MANY)
    (tmp_path / "one.py").write_text(ONE)
    return tmp_path


def mpirun(*command: str, ranks: int, cwd: Path) -> subprocess.Popen[str]:
    environment = {"OMPI_MCA_btl": "self,tcp"}
    if os.getuid() == 0:
        environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    launcher = ["mpirun", "-np", str(ranks), "--oversubscribe", "--bind-to", "none"]
    with (cwd / "printed").open("w") as printed:
        return subprocess.Popen(
            ["timeout", "-k", "5", "120", *launcher, *command],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            text=True,
            env={
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("OMPI_", "PMIX_"))
            }
            | environment,
            start_new_session=True,
        )


def printed(folder: Path) -> str:
    return (folder / "printed").read_text()


def ended(folder: Path) -> int:
    notes = folder / "notes"
    return notes.read_text().count("end") if notes.exists() else 0


@pytest.mark.parametrize("ranks", [1, 3])
def test_files_are_those_of_the_local_way(tmp_path: Path, ranks: int, monkeypatch):
    folder = copy_checkout(tmp_path / "project")
    toy = folder / "deriv_ops/catalogs/toy.py"
    toy.write_text(toy.read_text().replace("fin_pricez1d, {})", "fin_pricez1d, {'seconds': 0})"))
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    snakemake("--profile", "profiles/local", cwd=folder)
    shutil.move(folder / "results", folder / "expected")
    process = mpirun(*MODULE, "--profile", "profiles/mpi", ranks=ranks, cwd=folder)
    assert process.wait() == 0, printed(folder)
    expected = sorted((folder / "expected").rglob("*.parquet"))
    assert len(expected) > 8
    for file in expected:
        made = folder / "results" / file.relative_to(folder / "expected")
        assert made.read_bytes() == file.read_bytes()


def test_exit_code_is_that_of_snakemake(folder: Path):
    (folder / "one.py").write_text("raise SystemExit(3)")
    process = mpirun(*MODULE, *MANY_ARGUMENTS, "--config", "count=2", ranks=2, cwd=folder)
    assert process.wait() != 0
    assert "Error in rule one" in printed(folder)


def test_rank_that_dies_ends_the_run(folder: Path):
    process = mpirun(*MODULE, *MANY_ARGUMENTS, "--config", "count=2000", ranks=3, cwd=folder)
    wait_for(lambda: ended(folder) > 10, "jobs")
    launcher = psutil.Process(process.pid).children()[0]
    ranks = sorted(launcher.children(), key=lambda rank: rank.create_time())
    ranks[-1].kill()
    assert process.wait(60) != 0
    assert "exited on signal 9" in printed(folder)


def test_rank_that_can_not_start_ends_the_run(folder: Path):
    # A rank of its own opinion about what a worker is.
    code = (
        "from mpi4py import MPI; from snakemake_executor_plugin_dask import mpi; "
        "mpi.node.worker = None; mpi.main()"
    )
    process = mpirun(sys.executable, "-P", "-c", code, ranks=2, cwd=folder)
    assert process.wait(60) != 0
    assert "not callable" in printed(folder)


@pytest.mark.slurm
def test_under_srun_on_two_nodes(folder: Path, slurm: Slurm):
    options = ["--mpi=pmix", "-N2", "-n2", "--cpus-per-task=2", "--mem=2G", "-p", "2tcourt"]
    done = subprocess.run(
        ["timeout", "-k", "5", "120", "srun", *options, *MODULE, *MANY_ARGUMENTS],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    nodes = {line.split()[2] for line in (folder / "notes").read_text().splitlines()}
    assert nodes == {"my001", "my002"}
    assert ended(folder) == 100
    wait_for(lambda: not slurm.jobs(), "an empty queue")


def test_workers_alone_with_a_scheduler_file(folder: Path):
    file = folder / "scheduler.json"
    workers = mpirun(
        *PYTHON,
        *("dask_mpi.cli", "--scheduler-file", str(file), "--worker-class", "distributed.Worker"),
        *("--no-dashboard", "--interface", "lo"),
        ranks=3,
        cwd=folder,
    )
    try:
        wait_for(file.exists, "the scheduler file")
        arguments = [*MANY_ARGUMENTS, "--dask-cluster", str(file)]
        snakemake(*arguments, "--config", "count=20", cwd=folder)
        assert ended(folder) == 20
    finally:
        workers.terminate()
        workers.wait(60)
    # The file is of a scheduler that is gone.
    failed = snakemake(*arguments, "--forceall", cwd=folder, check=False)
    assert failed.returncode == 1
    assert "scheduler.json" in failed.stdout and "nothing answers" in failed.stdout
