"""Snakemake, a scheduler and the workers in one MPI context.

    mpirun -np 4 python -m snakemake_executor_plugin_dask.mpi --executor dask --jobs 10000 ...

Each rank is a worker, with its share of its machine; the first one runs Snakemake and a scheduler
as well. The arguments are Snakemake's. MPI starts the processes and tells them of each other; what
they say later goes by Dask, encrypted. A rank that dies ends all, as MPI has it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import dask
from distributed import Security
from mpi4py import MPI

from . import machine
from .clusters import node, processes, tls

# A job that starts MPI itself would take these for its own.
LAUNCHERS = ("OMPI_", "PMIX_", "PMI_", "PRTE_", "HYDRA_")


def share(comm: MPI.Comm) -> tuple[int, int]:
    """Return the threads and MB of this rank: those of its machine, by the ranks on it."""
    os.environ.update(comm.bcast(slurm_memory() if comm.rank == 0 else None))
    ranks = comm.Split_type(MPI.COMM_TYPE_SHARED)
    # Each may have CPUs of its own, or all the same.
    cpus = machine.shared_cpus(set().union(*ranks.allgather(os.sched_getaffinity(0))))
    # The rest of the memory is for what is handed over.
    memory_mb = machine.memory_bytes(cpus) // 2**20 * 7 // 8
    return max(1, cpus // ranks.size), memory_mb // ranks.size


def slurm_memory() -> dict[str, str]:
    """Return what sbatch tells its jobs of the memory they have, and srun alone doesn't."""
    told = {name: os.environ[name] for name in os.environ if name.startswith("SLURM_MEM_PER_")}
    job = os.environ.get("SLURM_JOB_ID")
    if told or job is None:
        return told
    from .clusters.slurm import commands

    try:
        return commands.memory(job)
    except commands.SlurmError:
        return {}


def lead(comm: MPI.Comm, arguments: list[str]) -> int:
    """Run Snakemake, a scheduler and a worker. Returns Snakemake's exit code."""
    hosts = comm.gather(socket.gethostname()) or []
    elsewhere = [host for host in hosts if host != hosts[0]]
    from .clusters.srun import own_address

    host = own_address(configuration(arguments), elsewhere[0] if elsewhere else None)
    threads, memory_mb = share(comm)
    forget_launcher()
    with tempfile.TemporaryDirectory(prefix="snakemake-mpi-") as name:
        folder = Path(name)
        tls.make(folder)
        log = folder / "log"
        scheduler = processes.spawn("node", "scheduler", host, name, log=log, listen=True)
        size = (str(threads), str(memory_mb), name)
        worker = processes.spawn("node", "worker", *size, log=log, listen=False)
        try:
            assert scheduler.stdout
            address = scheduler.stdout.readline().decode().strip()
            if not address:
                raise RuntimeError(f"The Dask scheduler did not start:\n{processes.tail(log)}")
            processes.tell(worker, address)
            comm.bcast((address, tls.read(folder)))
            # All workers are there, before Snakemake looks how many there are.
            comm.Barrier()
            return run_snakemake(address, folder, arguments)
        finally:
            processes.end(worker, scheduler)


def configuration(arguments: list[str]) -> Path | None:
    """Return the file with Dask's configuration that Snakemake's arguments name."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--dask-config", type=Path)
    found: Path | None = parser.parse_known_args(arguments)[0].dask_config
    return found


def run_snakemake(address: str, folder: Path, arguments: list[str]) -> int:
    """Run Snakemake with its jobs on these workers."""
    from snakemake.cli import main

    dask.config.set(tls.configuration(folder))
    sys.argv = ["snakemake", "--dask-cluster", address, *arguments]
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    return 0


def follow(comm: MPI.Comm) -> None:
    """Run a worker until the scheduler has ended."""
    comm.gather(socket.gethostname())
    threads, memory_mb = share(comm)
    address, keys = comm.bcast(None)
    forget_launcher()
    dask.config.set(node.CONFIG | tls.WITHOUT_PAGES)
    node.quiet()
    asyncio.run(work(comm, address, threads, memory_mb, tls.security(*keys)))


async def work(comm: MPI.Comm, address: str, threads: int, mem: int, security: Security) -> None:
    """Serve one rank's share."""
    async with node.worker(address, threads, mem, security) as worker:
        comm.Barrier()
        await worker.finished()


def forget_launcher() -> None:
    """Leave nothing of the launcher's to the jobs."""
    for name in [name for name in os.environ if name.startswith(LAUNCHERS)]:
        del os.environ[name]


def main() -> Any:
    """Be what the rank says."""
    comm = MPI.COMM_WORLD
    code = 0
    try:
        if comm.rank == 0:
            code = lead(comm, sys.argv[1:])
        else:
            follow(comm)
    except BaseException:
        # The others would wait for this rank for ever.
        traceback.print_exc()
        sys.stderr.flush()
        comm.Abort(1)
    MPI.Finalize()
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
