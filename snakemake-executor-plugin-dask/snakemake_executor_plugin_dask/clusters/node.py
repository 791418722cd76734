"""The scheduler and the workers of a cluster, as processes.

    python -m snakemake_executor_plugin_dask.clusters.node scheduler [HOST TLS_FOLDER]
    python -m snakemake_executor_plugin_dask.clusters.node worker THREADS MEMORY_MB [TLS_FOLDER]

The scheduler prints its address, the worker reads it. Both end when standard input ends. Without
keys (see `tls.py`) they are for this machine alone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

import dask
from distributed import Scheduler, Security, Worker
from distributed.utils import get_ip

from . import tls
from .processes import give_way

LOOPBACK = "127.0.0.1"
CLOSE_SECONDS = 10.0

CONFIG = {
    "distributed.admin.large-graph-warning-threshold": "1GB",
    "distributed.admin.tick.limit": "1h",
    # A worker that dies takes all jobs it holds with it, most of them not begun. How often a job
    # may begin is counted by the job itself (see ledger.py).
    "distributed.scheduler.allowed-failures": 1000,
    "distributed.scheduler.worker-saturation": "inf",
    "distributed.worker.memory.terminate": False,
    "distributed.worker.profile.enabled": False,
}


async def serve_scheduler(host: str = LOOPBACK, security: Security | None = None) -> None:
    """Run a scheduler."""
    protocol = "tls://" if security else "tcp://"
    async with Scheduler(
        host=host, port=0, protocol=protocol, security=security, dashboard=False
    ) as scheduler:
        print(scheduler.address, flush=True)
        await end_of_input()
        await scheduler.close()


async def serve_worker(threads: int, memory_mb: int, security: Security | None = None) -> None:
    """Run a worker."""
    address = (await asyncio.to_thread(sys.stdin.readline)).strip()
    if not address:
        return
    # From the beginning: to a scheduler that is gone already it would try to connect for ever.
    ended = asyncio.create_task(end_of_input())
    async with worker(address, threads, memory_mb, security) as running:
        finished = asyncio.create_task(running.finished())
        await asyncio.wait([ended, finished], return_when=asyncio.FIRST_COMPLETED)


def worker(scheduler: str, threads: int, memory_mb: int, security: Security | None) -> Worker:
    """Return a worker, which listens where its machine sees the scheduler's."""
    return Worker(
        scheduler,
        host=get_ip(scheduler.rpartition("/")[2].rpartition(":")[0], 1),
        security=security,
        nthreads=threads,
        memory_limit=0,
        resources={"threads": threads, "mem_mb": memory_mb},
        dashboard=False,
    )


async def end_of_input() -> None:
    """Wait until whoever has started this process closes its standard input, or is gone."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    # Whatever may still hang is not waited for long: nobody is there any more.
    loop.call_later(CLOSE_SECONDS, os._exit, 1)


def quiet() -> None:
    """Leave out what Dask has to say of every connection."""
    for name, logger in logging.Logger.manager.loggerDict.items():
        if name.startswith("distributed") and isinstance(logger, logging.Logger):
            logger.setLevel(logging.WARNING)


def main(arguments: list[str]) -> None:
    """Serve until standard input ends."""
    # Both are for the main process to handle, which then ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    give_way()
    dask.config.set(CONFIG | tls.WITHOUT_PAGES)
    quiet()
    match arguments:
        case ["scheduler"]:
            asyncio.run(serve_scheduler())
        case ["scheduler", host, folder]:
            asyncio.run(serve_scheduler(host, tls.load(Path(folder))))
        case ["worker", threads, memory_mb]:
            asyncio.run(serve_worker(int(threads), int(memory_mb)))
        case ["worker", threads, memory_mb, folder]:
            asyncio.run(serve_worker(int(threads), int(memory_mb), tls.load(Path(folder))))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
