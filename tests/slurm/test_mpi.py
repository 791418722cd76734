"""The run, its scheduler and its workers in one MPI context, and workers alone."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from conftest import snakemake

from .conftest import MANY, ONE
from .daemons import Slurm, wait_for
from .launch import MODULE, PYTHON, mpirun
from .listening import ask, check_listening

pytestmark = pytest.mark.mpi

MANY_ARGUMENTS = ["--executor", "dask", "--jobs", "10000", "--scheduler", "dask"]


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


SHARE = """
import os
from mpi4py import MPI
from snakemake_executor_plugin_dask import machine, mpi
rank = MPI.COMM_WORLD.rank
os.sched_getaffinity = lambda pid: set(range({first}, {first} + {count}))
machine._read = lambda path: ""
threads, memory = mpi.share(MPI.COMM_WORLD)
os.write(1, f"{{threads}} threads, {{memory}} MB\\n".encode())
"""


@pytest.mark.parametrize(
    ("first", "count"), [("14 * rank", 14), ("0", 28)], ids=["CPUs of its own", "all CPUs"]
)
def test_ranks_of_a_node_share_it(
    folder: Path, first: str, count: int, monkeypatch: pytest.MonkeyPatch
):
    for name, value in {"JOB_ID": 1, "CPUS_ON_NODE": 28, "CPUS_PER_TASK": 14}.items():
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "80")
    code = SHARE.format(first=first, count=count)
    assert mpirun(sys.executable, "-P", "-c", code, ranks=2, cwd=folder).wait() == 0
    assert printed(folder) == 2 * f"14 threads, {14 * 80 * 7 // 8} MB\n"


def start_srun(folder: Path, *command: str, nodes: int) -> subprocess.Popen[str]:
    """Start a rank on each of some nodes."""
    options = ["--mpi=pmix", f"-N{nodes}", f"-n{nodes}", "--cpus-per-task=2", "--mem=2G"]
    options += ["--partition=2tcourt", "--kill-on-bad-exit=1"]
    with (folder / "printed").open("w") as said:
        return subprocess.Popen(
            ["timeout", "-k", "5", "300", "srun", *options, *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            text=True,
        )


def kill_rank(job: str, rank: str, module: str) -> None:
    """Kill a rank that srun has started."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            environment = process.environ()
            found = environment.get("SLURM_JOB_ID"), environment.get("SLURM_PROCID")
            if found == (job, rank) and module in process.cmdline():
                process.kill()


@pytest.mark.slurm
def test_memory_of_ranks_that_srun_starts(folder: Path, slurm: Slurm):
    code = SHARE.format(first="0", count=2)
    assert start_srun(folder, sys.executable, "-P", "-c", code, nodes=2).wait() == 0
    assert printed(folder) == 2 * f"2 threads, {2048 * 7 // 8} MB\n"


@pytest.mark.slurm
def test_rank_that_dies_under_srun_ends_the_run(folder: Path, slurm: Slurm):
    process = start_srun(folder, *MODULE, *MANY_ARGUMENTS, "--config", "count=2000", nodes=2)
    wait_for(lambda: ended(folder) > 10, "jobs")
    [job] = slurm.jobs()
    kill_rank(job, "1", MODULE[-1])
    assert process.wait(60) == 137
    assert ended(folder) < 2000
    wait_for(lambda: not slurm.jobs(), "an empty queue")


def test_interface_that_is_chosen(folder: Path):
    addresses = {
        name: one.address
        for name, all in psutil.net_if_addrs().items()
        for one in all
        if one.family == socket.AF_INET
    }
    name, address = max(addresses.items(), key=lambda one: one[0] != "lo")
    for interface in (name, "ib7"):
        (folder / "dask.yaml").write_text(f"jobqueue: {{slurm: {{interface: {interface}}}}}")
        arguments = [*MANY_ARGUMENTS, "--dask-config", "dask.yaml", "--config", "count=4"]
        process = mpirun(*MODULE, *arguments, ranks=2, cwd=folder)
        if interface == name:
            assert process.wait() == 0
            assert f"cluster at tls://{address}:" in printed(folder)
        else:
            assert process.wait() != 0
            assert "ib7" in printed(folder)


@pytest.mark.slurm
def test_under_srun_on_two_nodes(folder: Path, slurm: Slurm):
    process = start_srun(folder, *MODULE, *MANY_ARGUMENTS, nodes=2)
    assert process.wait() == 0, printed(folder)
    nodes = {line.split()[2] for line in (folder / "notes").read_text().splitlines()}
    assert len(nodes) == 2
    assert ended(folder) == 100
    wait_for(lambda: not slurm.jobs(), "an empty queue")


def test_listens_at_one_address_with_tls_only(folder: Path):
    arguments = [*MANY_ARGUMENTS, "--config", "seconds=1", "count=30"]
    process = mpirun(*MODULE, *arguments, ranks=2, cwd=folder)
    wait_for(lambda: (folder / "notes").exists(), "jobs")
    # The scheduler and two workers, each with a server of no pages.
    assert len(check_listening(folder)) >= 6
    assert process.wait() == 0, printed(folder)


def start_workers(folder: Path, file: Path, ranks: int, *more: str) -> subprocess.Popen[str]:
    """Start a scheduler and workers, in an MPI context of their own."""
    options = ["--scheduler-file", str(file), "--worker-class", "distributed.Worker"]
    options += ["--no-dashboard", "--interface", "lo", "--scheduler-port", "0", *more]
    return mpirun(*PYTHON, "dask_mpi.cli", *options, ranks=ranks, cwd=folder)


def stop(workers: subprocess.Popen[str]) -> None:
    """End what was started, and wait for all of it: its launcher doesn't always."""
    ranks = psutil.Process(workers.pid).children(recursive=True)
    workers.terminate()
    workers.wait(60)
    _, remaining = psutil.wait_procs(ranks, 30)
    for rank in remaining:
        rank.kill()
    psutil.wait_procs(remaining, 30)


def test_workers_alone_with_a_scheduler_file(folder: Path):
    file = folder / "scheduler.json"
    workers = start_workers(folder, file, ranks=3)
    try:
        wait_for(file.exists, "the scheduler file")
        arguments = [*MANY_ARGUMENTS, "--dask-cluster", str(file)]
        snakemake(*arguments, "--config", "count=20", cwd=folder)
        assert ended(folder) == 20
    finally:
        stop(workers)
    # The file is of a scheduler that is gone.
    failed = snakemake(*arguments, "--forceall", cwd=folder, check=False)
    assert failed.returncode == 1
    assert "scheduler.json" in failed.stdout and "nothing answers" in failed.stdout


def test_workers_alone_with_keys(folder: Path, monkeypatch: pytest.MonkeyPatch):
    keys = folder / "keys"
    make = [*PYTHON, "snakemake_executor_plugin_dask.clusters.tls", str(keys)]
    subprocess.run(make, check=True)
    monkeypatch.setenv("DASK_CONFIG", str(keys))
    file = keys / "scheduler.json"
    workers = start_workers(folder, file, 2, "--protocol", "tls://")
    try:
        wait_for(file.exists, "the scheduler file")
        # Not forked as others are: what the variable names is read when Dask is imported.
        command = [*PYTHON, "snakemake", *MANY_ARGUMENTS, "--dask-cluster", str(file)]
        subprocess.run([*command, "--config", "count=20"], cwd=folder, check=True, timeout=120)
        listening = check_listening(folder)
        assert len(listening) >= 4
        for page in ("/info/main/workers.html", "/json/counts.json", "/metrics"):
            assert not any(b" 200 " in ask(address, page) for address in listening), page
    finally:
        stop(workers)
    assert ended(folder) == 20


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
        stop(workers)
    assert "The Dask scheduler was lost" in (folder / "said").read_text()


@pytest.mark.slurm
@pytest.mark.parametrize("rank", [pytest.param("0", marks=pytest.mark.thorough), "2"])
def test_rank_of_workers_alone_that_dies_under_srun(folder: Path, slurm: Slurm, rank: str):
    file = folder / "scheduler.json"
    options = ["--scheduler-file", str(file), "--worker-class", "distributed.Worker"]
    options += ["--no-dashboard", "--interface", "lo", "--scheduler-port", "0"]
    options += ["--inclusive-workers", "--nthreads", "2"]
    workers = start_srun(folder, "--kill-on-bad-exit=0", *PYTHON, "dask_mpi.cli", *options, nodes=3)
    try:
        wait_for(file.exists, "the scheduler file")
        arguments = [*MANY_ARGUMENTS, "--dask-cluster", str(file), "--config", "count=200"]
        command = ["timeout", "-k", "5", "300", *PYTHON, "snakemake", *arguments]
        with (folder / "said").open("w") as said:
            process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)
        wait_for(lambda: ended(folder) > 10, "jobs")
        [job] = slurm.jobs()
        kill_rank(job, rank, "dask_mpi.cli")
        code = process.wait()
    finally:
        stop(workers)
    if rank == "0":
        assert code == 1 and "The Dask scheduler was lost" in (folder / "said").read_text()
    else:
        # The others do the rest.
        assert code == 0, (folder / "said").read_text()
        assert ended(folder) == 200


def test_too_few_ranks_for_a_scheduler_and_a_worker(folder: Path):
    workers = start_workers(folder, folder / "scheduler.json", ranks=1)
    assert workers.wait(60) != 0
    assert "Not enough MPI ranks" in printed(folder)
