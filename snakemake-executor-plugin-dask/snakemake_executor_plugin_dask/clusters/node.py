"""The processes of a local cluster.

    python -m snakemake_executor_plugin_dask.clusters.node scheduler
    python -m snakemake_executor_plugin_dask.clusters.node worker THREADS MEMORY_MB

The scheduler prints its address, the worker reads it. Both end when standard input ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

import dask
from distributed import Scheduler, Worker

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


async def serve_scheduler() -> None:
    """Run a scheduler."""
    async with Scheduler(host=LOOPBACK, port=0, dashboard=False) as scheduler:
        print(scheduler.address, flush=True)
        await end_of_input()
        await scheduler.close()


async def serve_worker(threads: int, memory_mb: int) -> None:
    """Run a worker."""
    address = (await asyncio.to_thread(sys.stdin.readline)).strip()
    if not address:
        return
    worker = Worker(
        address,
        host=LOOPBACK,
        nthreads=threads,
        memory_limit=0,
        resources={"threads": threads, "mem_mb": memory_mb},
        dashboard=False,
    )
    async with worker:
        await asyncio.wait(
            [asyncio.create_task(end_of_input()), asyncio.create_task(worker.finished())],
            return_when=asyncio.FIRST_COMPLETED,
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


def main() -> None:
    """Serve until standard input ends."""
    # Both are for the main process to handle, which then ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    dask.config.set(CONFIG)
    quiet()
    match sys.argv[1:]:
        case ["scheduler"]:
            asyncio.run(serve_scheduler())
        case ["worker", threads, memory_mb]:
            asyncio.run(serve_worker(int(threads), int(memory_mb)))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
