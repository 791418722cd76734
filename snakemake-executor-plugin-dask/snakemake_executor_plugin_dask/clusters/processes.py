"""Processes beside the main one, in sessions of their own, so that Ctrl-C reaches only Snakemake.

They end when their standard input does, that is at the latest when the main process ends.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

CLOSE_SECONDS = 15.0


def spawn(
    module: str, *arguments: str, log: Path, listen: bool, by: tuple[str, ...] = ()
) -> subprocess.Popen[bytes]:
    """Start a module of this package, perhaps `by` a command that starts commands.

    With `listen`, what it prints can be read.
    """
    command = [*by, sys.executable, "-P", "-m", f"{__package__}.{module}", *arguments]
    with log.open("ab") as file:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if listen else file,
            stderr=file,
            # NumPy would start one for each CPU when it is imported.
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,
        )


def give_way() -> None:
    """Have this process and what it starts not push aside what runs when it wakes up.

    That is Snakemake itself, or a job.
    """
    # Some containers don't allow it.
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def tell(process: subprocess.Popen[bytes], line: str) -> None:
    """Write a line to a process."""
    assert process.stdin
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(f"{line}\n".encode())
        process.stdin.flush()


def end(*processes: subprocess.Popen[bytes], seconds: float = CLOSE_SECONDS) -> None:
    """End processes, and wait until they have."""
    for process in processes:
        _close(process.stdin)
    for process in processes:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _close(process.stdout)


def tail(log: Path, lines: int = 20) -> str:
    """Return the end of a log."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:])


def _close(stream: IO[bytes] | None) -> None:
    if stream:
        with contextlib.suppress(BrokenPipeError):
            stream.close()
