"""A scheduler here and a worker on each node of the Slurm allocation this process runs in."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from pathlib import Path

from distributed.utils import get_ip, get_ip_interface
from snakemake.logging import logger
from snakemake_interface_common.exceptions import WorkflowError
from yaml import YAMLError

from .. import machine
from . import Cluster, Request, Restarts, tls
from .node import LOOPBACK
from .processes import end, spawn, tail, tell
from .slurm import commands
from .slurm.configuration import configure, configured


class SrunCluster(Cluster):
    """Each worker is a job step of its own, so that one that is lost is started again alone."""

    def __init__(self, request: Request) -> None:
        if "SLURM_JOB_ID" not in os.environ:
            raise WorkflowError(
                "--dask-cluster srun: this is not in a Slurm allocation; start it in a job script "
                "(sbatch), or take --dask-cluster slurm."
            )
        self.log = request.log
        self.folder = request.folder
        self.restarts = Restarts(self)
        self.closing = False
        try:
            names = commands.hostnames(os.environ["SLURM_JOB_NODELIST"])
            self.host = own_address(request.config, commands.address(names[-1]))
        except (commands.SlurmError, OSError, ValueError, YAMLError) as error:
            source = f" ({request.config})" if request.config else ""
            raise WorkflowError(f"--dask-cluster srun{source}: {error}") from error
        cpus = cpus_per_node(os.environ["SLURM_JOB_CPUS_PER_NODE"])
        self.nodes = dict(zip(names, cpus, strict=True))
        try:
            self.security = tls.make(self.folder)
        except ImportError as error:
            raise WorkflowError(f"--dask-cluster srun: {error}") from error
        self.start()

    def start(self) -> None:
        """Start the scheduler and the workers."""
        self.scheduler = spawn(
            "node", "scheduler", self.host, str(self.folder), log=self.log, listen=True
        )
        assert self.scheduler.stdout
        self.address = self.scheduler.stdout.readline().decode().strip()
        if not self.address:
            raise WorkflowError(f"The Dask scheduler did not start:\n{tail(self.log)}")
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        for node in self.nodes:
            self.workers[node] = self._spawn(node)
            threading.Thread(target=self._keep, args=[self.scheduler, node], daemon=True).start()

    def describe(self) -> str:
        """Return the size."""
        job, nodes = os.environ["SLURM_JOB_ID"], len(self.nodes)
        return f"{nodes} nodes of Slurm job {job}, {sum(self.nodes.values())} threads"

    def machines(self) -> list[dict[str, float]]:
        """Return what each node offers."""
        return [{"threads": cpus, "mem_mb": _memory_mb(cpus)} for cpus in self.nodes.values()]

    def restart(self) -> bool:
        """Start all again."""
        if self.closing or not self.restarts.take():
            return False
        end(*self.workers.values(), self.scheduler)
        self.start()
        return True

    def close(self) -> None:
        """End all."""
        self.closing = True
        end(*self.workers.values(), self.scheduler)

    def _spawn(self, node: str) -> subprocess.Popen[bytes]:
        cpus = self.nodes[node]
        by = (
            *("srun", "--nodes=1", "--ntasks=1", f"--nodelist={node}", f"--cpus-per-task={cpus}"),
            # Steps that jobs start may use the same cores.
            *("--overlap", "--cpu-bind=none", "--unbuffered"),
        )
        size = (str(cpus), str(_memory_mb(cpus)), str(self.folder))
        worker = spawn("node", "worker", *size, log=self.log, listen=False, by=by)
        tell(worker, self.address)
        return worker

    def _keep(self, scheduler: subprocess.Popen[bytes], node: str) -> None:
        """Replace a worker that has died, as long as its scheduler lives."""
        restarts = Restarts(self)
        while True:
            code = self.workers[node].wait()
            if self.closing or scheduler.poll() is not None or scheduler is not self.scheduler:
                return
            if not restarts.take():
                break
            logger.warning(f"The Dask worker on {node} has ended ({code}); starting another.")
            self.workers[node] = self._spawn(node)
        logger.error(f"The Dask worker on {node} does not stay up:\n{tail(self.log)}")
        if all(worker.poll() is not None for worker in self.workers.values()):
            self.restarts.left = 0
            scheduler.kill()


def connect(request: Request) -> SrunCluster:
    """Start a scheduler and a worker on each node."""
    return SrunCluster(request)


def own_address(config: Path | None, other: str | None) -> str:
    """Return the address of this machine: of the interface that a configuration names.

    Else the one by which it sees another machine; if there is no other, that for itself.
    """
    if config:
        configure(config)
    if interface := configured("interface"):
        return str(get_ip_interface(interface))
    return str(get_ip(other, 1)) if other else LOOPBACK


def cpus_per_node(text: str) -> list[int]:
    """Return the CPUs of each node of what Slurm writes like `28(x2),16`."""
    counts: list[int] = []
    for cpus, times in re.findall(r"(\d+)(?:\(x(\d+)\))?", text):
        counts += [int(cpus)] * int(times or 1)
    return counts


def _memory_mb(cpus: int) -> int:
    """Return the allocation's memory on a node: as asked for, else all that this one has."""
    per_node, per_cpu = (
        int(os.environ.get(name) or 0) for name in ("SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU")
    )
    memory = per_node or per_cpu * cpus or machine.memory_bytes() // 2**20
    return memory * 7 // 8  # the rest is for what is handed over
