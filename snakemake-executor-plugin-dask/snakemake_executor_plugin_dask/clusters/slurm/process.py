"""A scheduler with workers in Slurm jobs, as a process beside Snakemake's.

    python -m snakemake_executor_plugin_dask.clusters.slurm.process NAME FOLDER MIN MAX [CONFIG]

Prints lines of JSON: first what it is, then what is to be told. The process ends when its standard
input does, that is at the latest when Snakemake's ends, and its jobs with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

import dask
from distributed import Scheduler

from .. import node, tls
from . import commands, script
from .configuration import configure
from .supervisor import GiveUpError, Supervisor


async def serve(name: str, folder: Path, limits: tuple[int, int]) -> None:
    """Run the scheduler and see to its workers."""
    shape = script.shape()
    options = script.scheduler_options()
    security = tls.load(folder)
    logs = script.log_directory(folder)
    logs.mkdir(parents=True, exist_ok=True)
    async with Scheduler(protocol="tls://", security=security, **options) as scheduler:

        def write(worker: str, avoid: set[str]) -> str:
            text = script.job_script(worker, name, scheduler.address, security, logs, avoid)
            (folder / "worker.sh").write_text(text)
            return text

        supervisor = Supervisor(scheduler, name, shape, limits, write, tell, logs)
        try:
            await supervisor.begin()
            machine = {"threads": shape.threads, "mem_mb": shape.mem_mb}
            say(address=scheduler.address, machine=machine, workers=shape.workers)
            end = asyncio.create_task(node.end_of_input())
            watch = asyncio.create_task(supervisor.run())
            await asyncio.wait([end, watch], return_when=asyncio.FIRST_COMPLETED)
            if watch.done():
                watch.result()
        finally:
            with contextlib.suppress(commands.SlurmError):
                commands.cancel(f"--name={name}")


def say(**message: object) -> None:
    """Tell Snakemake's process."""
    print(json.dumps(message), flush=True)


def tell(level: str, text: str) -> None:
    """Have something told to people."""
    say(level=level, text=text)


def main() -> None:
    """Serve until standard input ends."""
    name, folder, minimum, maximum, *config = sys.argv[1:]
    # For the main process to handle, which then ends this one. (dask-jobqueue sets the first.)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        for path in config:
            configure(Path(path))
        dask.config.set(node.CONFIG | tls.WITHOUT_PAGES)
        node.quiet()
        asyncio.run(serve(name, Path(folder), (int(minimum), int(maximum))))
    except (commands.SlurmError, GiveUpError) as error:
        say(error=str(error))
    except Exception as error:
        say(error=f"{type(error).__name__}: {error}")
    sys.stdout.flush()
    with contextlib.suppress(BrokenPipeError):
        os._exit(0)


if __name__ == "__main__":
    main()
