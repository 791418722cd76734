"""Workers in Slurm jobs, which are submitted for the run and end with it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from typing import Any

from snakemake.logging import logger
from snakemake_interface_common.exceptions import WorkflowError

from .. import Cluster, Request, Restarts, tls
from ..processes import end, spawn, tail
from . import commands

# Cancelling jobs may take Slurm a while.
CLOSE_SECONDS = 60.0
# In which a process that has lost its work says why, and ends.
PATIENCE_SECONDS = 10.0


class SlurmCluster(Cluster):
    """A scheduler in a process on this machine, which has its workers in Slurm jobs.

    That process does all that has to do with Slurm (see `supervisor.py`), apart from this one,
    which is busy with Snakemake. It ends with this one, and cancels its jobs then.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.name = f"snakemake-{request.folder.name}"
        self.restarts = Restarts(self)
        self.closing = False
        self.error = ""
        try:
            self.security = tls.make(request.folder)
        except ImportError as error:
            raise WorkflowError(f"--dask-cluster slurm: {error}") from error
        self.start()

    def start(self) -> None:
        """Start the scheduler, and have the jobs submitted."""
        request = self.request
        arguments = [self.name, str(request.folder), *map(str, request.workers)]
        if request.config:
            arguments.append(str(request.config))
        self.process = spawn("slurm.process", *arguments, log=request.log, listen=True)
        while "text" in (first := self._hear(self.process)):
            self._pass_on(first)
        if "address" not in first:
            end(self.process)
            source = f" ({request.config})" if request.config else ""
            reason = first.get("error") or tail(request.log)
            raise WorkflowError(f"Slurm{source}: {reason}")
        self.address = first["address"]
        self.machine = first["machine"]
        self.count = request.workers[1] * first["workers"]
        self.listener = threading.Thread(target=self._listen, args=[self.process], daemon=True)
        self.listener.start()

    def describe(self) -> str:
        """Return the size."""
        least, most = self.request.workers
        jobs = f"{most}" if least == most else f"{least} to {most}"
        each = self.count // most
        threads, mem_mb = self.machine["threads"], self.machine["mem_mb"]
        return (
            f"Slurm, {jobs} jobs named {self.name}, "
            f"each {each} x {threads} threads and {mem_mb} MB; scheduler at {self.address}"
        )

    def machines(self) -> list[dict[str, float]]:
        """Return what each worker will offer, once its Slurm job runs."""
        return [self.machine] * self.count

    def restart(self) -> bool:
        """Start a new scheduler, and new jobs."""
        try:
            self.process.wait(PATIENCE_SECONDS)
            self.listener.join(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            # Only the connection to it was lost.
            end(self.process, seconds=CLOSE_SECONDS)
        if self.error:
            raise WorkflowError(f"Slurm: {self.error}")
        if self.closing or not self.restarts.take():
            return False
        self._cancel()
        self.start()
        return True

    def close(self) -> None:
        """End the scheduler and the jobs."""
        self.closing = True
        end(self.process, seconds=CLOSE_SECONDS)
        self._cancel()

    def _cancel(self) -> None:
        """Cancel the jobs of a scheduler that may not have been able to."""
        with contextlib.suppress(commands.SlurmError):
            commands.cancel(f"--name={self.name}")

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """Pass on what the scheduler's process has to say, until it ends."""
        while message := self._hear(process):
            if error := message.get("error"):
                self.error = error
            else:
                self._pass_on(message)

    @staticmethod
    def _pass_on(message: dict[str, Any]) -> None:
        log = logger.warning if message["level"] == "warning" else logger.info
        log(message["text"])

    @staticmethod
    def _hear(process: subprocess.Popen[bytes]) -> dict[str, Any]:
        assert process.stdout
        line = process.stdout.readline()
        message: dict[str, Any] = json.loads(line) if line.endswith(b"\n") else {}
        return message


def connect(request: Request) -> SlurmCluster:
    """Start a scheduler and submit its workers."""
    return SlurmCluster(request)
