"""The run, its scheduler and its workers in one MPI context, and workers alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from conftest import snakemake

from .conftest import MANY, ONE
from .daemons import Slurm, wait_for
from .launch import MODULE, PYTHON, mpirun

pytestmark = pytest.mark.mpi

MANY_ARGUMENTS = ["--executor", "dask", "--jobs", "10000", "--scheduler", "greedy"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Snakefile").write_text(MANY)
    (tmp_path / "one.py").write_text(ONE)
    return tmp_path


def printed(folder: Path) -> str:
    return (folder / "printed").read_text()


def ended(folder: Path) -> int:
    notes = folder / "notes"
    return notes.read_text().count("end") if notes.exists() else 0


def test_one_rank_is_enough(folder: Path):
    process = mpirun(*MODULE, *MANY_ARGUMENTS, "--config", "count=20", ranks=1, cwd=folder)
    assert process.wait() == 0, printed(folder)
    assert ended(folder) == 20


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


def start_workers(folder: Path, file: Path, ranks: int) -> subprocess.Popen[str]:
    """Start a scheduler and workers, in an MPI context of their own."""
    options = ["--scheduler-file", str(file), "--worker-class", "distributed.Worker"]
    options += ["--no-dashboard", "--interface", "lo"]
    return mpirun(*PYTHON, "dask_mpi.cli", *options, ranks=ranks, cwd=folder)


def test_workers_alone_with_a_scheduler_file(folder: Path):
    file = folder / "scheduler.json"
    workers = start_workers(folder, file, ranks=3)
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


def test_rank_of_workers_alone_that_dies(folder: Path):
    file = folder / "scheduler.json"
    workers = start_workers(folder, file, ranks=3)
    try:
        wait_for(file.exists, "the scheduler file")
        arguments = [*MANY_ARGUMENTS, "--dask-cluster", str(file), "--config", "count=2000"]
        with (folder / "said").open("w") as said:
            process = subprocess.Popen(
                [*PYTHON, "snakemake", *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        wait_for(lambda: ended(folder) > 10, "jobs")
        launcher = psutil.Process(workers.pid).children()[0]
        max(launcher.children(), key=lambda rank: rank.create_time()).kill()
        # MPI ends all ranks with it, the scheduler too.
        assert process.wait(100) == 1
    finally:
        workers.terminate()
        workers.wait(60)
    assert "The Dask scheduler was lost" in (folder / "said").read_text()


def test_too_few_ranks_for_a_scheduler_and_a_worker(folder: Path):
    workers = start_workers(folder, folder / "scheduler.json", ranks=1)
    assert workers.wait(60) != 0
    assert "Not enough MPI ranks" in printed(folder)
