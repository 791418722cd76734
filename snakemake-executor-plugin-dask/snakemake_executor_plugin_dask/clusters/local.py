"""A scheduler and one worker on this machine, reachable from this machine only."""

from __future__ import annotations

import json
import subprocess
import threading

from snakemake.logging import logger
from snakemake_interface_common.exceptions import WorkflowError

from .. import machine
from . import Cluster, Request, Restarts
from .processes import end, spawn, tail, tell


class LocalCluster(Cluster):
    """Two processes, which end with this one."""

    def __init__(self, request: Request) -> None:
        self.log = request.log
        self.preload = request.preload
        self.threads = request.threads or machine.cpus()
        # The rest is for what is handed over (see worker.py).
        self.memory_mb = request.memory_mb or machine.memory_bytes() // 2**20 * 7 // 8
        self.restarts = Restarts(self)
        self.closing = False
        self.start()

    def start(self) -> None:
        """Start the scheduler and a worker."""
        self.scheduler = spawn("node", "scheduler", log=self.log, listen=True)
        self.worker = self._spawn_worker()

    def wait(self) -> None:
        """Wait until the scheduler is there, and tell the worker where it is."""
        assert self.scheduler.stdout
        self.address = self.scheduler.stdout.readline().decode().strip()
        if not self.address:
            raise WorkflowError(f"The Dask scheduler did not start:\n{tail(self.log)}")
        tell(self.worker, self.address)
        threading.Thread(target=self._keep_worker, args=[self.scheduler], daemon=True).start()

    def describe(self) -> str:
        """Return the size."""
        return f"local cluster, 1 worker, {self.threads} threads, {self.memory_mb} MB"

    def machines(self) -> list[dict[str, float]]:
        """Return what the worker offers."""
        return [{"threads": self.threads, "mem_mb": self.memory_mb}]

    def restart(self) -> bool:
        """Start both again."""
        if self.closing or not self.restarts.take():
            return False
        end(self.worker, self.scheduler)
        self.start()
        return True

    def close(self) -> None:
        """End both."""
        self.closing = True
        end(self.worker, self.scheduler)

    def _keep_worker(self, scheduler: subprocess.Popen[bytes]) -> None:
        """Replace a worker that has died, as long as its scheduler lives."""
        while True:
            worker = self.worker
            code = worker.wait()
            if self.closing or scheduler.poll() is not None or scheduler is not self.scheduler:
                return
            if not self.restarts.take():
                logger.error(f"The Dask worker does not stay up:\n{tail(self.log)}")
                scheduler.kill()
                return
            logger.warning(f"The Dask worker has ended ({code}); starting another.")
            self.worker = self._spawn_worker()
            tell(self.worker, self.address)

    def _spawn_worker(self) -> subprocess.Popen[bytes]:
        arguments = (json.dumps(self.preload), str(self.threads), str(self.memory_mb))
        return spawn("local_worker", *arguments, log=self.log, listen=False)


def connect(request: Request) -> LocalCluster:
    """Start a local cluster."""
    return LocalCluster(request)
