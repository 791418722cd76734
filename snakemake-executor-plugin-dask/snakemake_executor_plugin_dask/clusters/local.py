"""A scheduler and one worker on this machine, reachable from this machine only."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

from snakemake.logging import logger
from snakemake_interface_common.exceptions import WorkflowError

from .. import machine
from . import Cluster, Request

# How often a worker, or the whole cluster, is started again in a run.
RESTARTS = 5
CLOSE_SECONDS = 15.0


class LocalCluster(Cluster):
    """Two processes in sessions of their own, so that Ctrl-C reaches only Snakemake.

    Both end when their standard input does, that is at the latest when this process ends.
    """

    def __init__(self, request: Request) -> None:
        self.log = request.log
        self.threads = request.threads or machine.cpus()
        # The rest is for what is handed over (see worker.py).
        self.memory_mb = request.memory_mb or machine.memory_bytes() // 2**20 * 7 // 8
        self.restarts = RESTARTS
        self.closing = False
        self.start()

    def start(self) -> None:
        """Start the scheduler and a worker."""
        self.scheduler = self._spawn("scheduler", stdout=subprocess.PIPE)
        self.worker = self._spawn_worker()

    def wait(self) -> None:
        """Wait until the scheduler is there, and tell the worker where it is."""
        assert self.scheduler.stdout
        self.address = self.scheduler.stdout.readline().decode().strip()
        if not self.address:
            raise WorkflowError(f"The Dask scheduler did not start:\n{_tail(self.log)}")
        self._tell(self.worker, self.address)
        threading.Thread(target=self._keep_worker, args=[self.scheduler], daemon=True).start()

    def describe(self) -> str:
        """Return the size."""
        return f"local cluster, 1 worker, {self.threads} threads, {self.memory_mb} MB"

    def machines(self) -> list[dict[str, float]]:
        """Return what the worker offers."""
        return [{"threads": self.threads, "mem_mb": self.memory_mb}]

    def restart(self) -> bool:
        """Start both again."""
        if self.closing or self.restarts <= 0:
            return False
        self.restarts -= 1
        self._end(self.worker, self.scheduler)
        self.start()
        return True

    def close(self) -> None:
        """End both."""
        self.closing = True
        self._end(self.worker, self.scheduler)

    def _keep_worker(self, scheduler: subprocess.Popen[bytes]) -> None:
        """Replace a worker that has died, as long as its scheduler lives."""
        while True:
            worker = self.worker
            code = worker.wait()
            if self.closing or scheduler.poll() is not None or scheduler is not self.scheduler:
                return
            if self.restarts <= 0:
                logger.error("The Dask worker does not stay up:\n%s", _tail(self.log))
                scheduler.kill()
                return
            self.restarts -= 1
            logger.warning("The Dask worker has ended (%s); starting another.", code)
            self.worker = self._spawn_worker()
            self._tell(self.worker, self.address)

    def _spawn_worker(self) -> subprocess.Popen[bytes]:
        return self._spawn("worker", str(self.threads), str(self.memory_mb))

    def _spawn(self, *arguments: str, stdout: int | None = None) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", f"{__package__}.node", *arguments]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=stdout or log,
                stderr=log,
                start_new_session=True,
            )

    @staticmethod
    def _tell(process: subprocess.Popen[bytes], line: str) -> None:
        assert process.stdin
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(f"{line}\n".encode())
            process.stdin.flush()

    @staticmethod
    def _end(*processes: subprocess.Popen[bytes]) -> None:
        for process in processes:
            _close(process.stdin)
        for process in processes:
            try:
                process.wait(CLOSE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _close(process.stdout)


def connect(request: Request) -> LocalCluster:
    """Start a local cluster."""
    return LocalCluster(request)


def _close(stream: IO[bytes] | None) -> None:
    if stream:
        with contextlib.suppress(BrokenPipeError):
            stream.close()


def _tail(log: Path, lines: int = 20) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
