"""Where the workers come from: one file for each kind of cluster, one table of their names.

A new kind needs a class with the methods of `Cluster` and a line in `KINDS`.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError

# Names for --dask-cluster, and the module whose `connect(request)` serves them. Anything else is
# an address or the path of a scheduler file.
KINDS = {"local": "local", "slurm": "slurm", "srun": "srun", "kubernetes": "kubernetes"}
EXISTING = "existing"
RESTARTS = 5


@dataclass(frozen=True)
class Request:
    """What the user asks of a cluster.

    `threads`, `memory_mb` and what to `preload` are of a local one, `workers` (at least, at most)
    and `config` (a file with Dask's configuration) of those that start workers on other machines.
    The path of a scheduler file is seen from the folder `start`.
    """

    name: str
    folder: Path
    threads: int | None = None
    memory_mb: int | None = None
    preload: tuple[str, ...] = ()
    workers: tuple[int, int] = (1, 1)
    config: Path | None = None
    start: Path = Path()

    @property
    def log(self) -> Path:
        """Where the processes of the cluster write what they have to say."""
        return self.folder / "cluster.log"


class Cluster(ABC):
    """A running scheduler with workers."""

    address: str
    # Of Dask's `Security`; without one, Dask's configuration counts.
    security: Any = None
    # How many jobs have ended well.
    jobs_done = 0

    @abstractmethod
    def describe(self) -> str:
        """Return what was made or found, for people."""

    @abstractmethod
    def close(self) -> None:
        """End what this object has started."""

    def wait(self) -> None:  # noqa: B027
        """Wait until the scheduler can be reached at `address`, if that takes a while."""

    def machines(self) -> list[dict[str, float]]:
        """Return what each worker will offer, if that is known before they are there."""
        return []

    def restart(self) -> bool:
        """Start again after the scheduler was lost. False if that is not possible."""
        return False


class Restarts:
    """How often a worker or a scheduler may be started again: until a job ends well, five times."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.left, self.done = RESTARTS, 0

    def take(self) -> bool:
        """Use one up. False if there is none left."""
        if self.cluster.jobs_done > self.done:
            self.left, self.done = RESTARTS, self.cluster.jobs_done
        self.left -= 1
        return self.left >= 0


def connect(request: Request) -> Cluster:
    """Start or find the cluster. It may take a while until it is there: see `Cluster.wait`."""
    module = importlib.import_module(f"{__name__}.{KINDS.get(request.name, EXISTING)}")
    cluster: Cluster = module.connect(request)
    return cluster


def parse_workers(text: str) -> tuple[int, int]:
    """Return the least and the greatest number of `N` or `MIN:MAX`."""
    least, _, most = text.partition(":")
    try:
        limits = int(least), int(most or least)
    except ValueError:
        limits = -1, -1
    if 0 <= limits[0] <= limits[1] and limits[1]:
        return limits
    raise WorkflowError(f"--dask-workers {text}: expected a number, or MIN:MAX such as 0:10.")
