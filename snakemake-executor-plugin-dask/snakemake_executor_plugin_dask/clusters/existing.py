"""A cluster that runs already: an address such as tcp://host:8786, or a scheduler file."""

from __future__ import annotations

import json
from pathlib import Path

from snakemake_interface_common.exceptions import WorkflowError

from . import KINDS, Cluster, Request


class ExistingCluster(Cluster):
    """Someone else's cluster: used, and left as it was."""

    def __init__(self, address: str) -> None:
        self.address = address

    def describe(self) -> str:
        """Return where it is."""
        return f"cluster at {self.address}"

    def close(self) -> None:
        """Leave it running."""


def connect(request: Request) -> ExistingCluster:
    """Find the scheduler's address."""
    if "://" in request.name:
        return ExistingCluster(request.name)
    path = Path(request.name)
    if not path.is_file():
        raise WorkflowError(
            f"--dask-cluster {request.name}: neither one of {', '.join(KINDS)}, nor an address "
            "(tcp://host:port), nor a scheduler file."
        )
    try:
        return ExistingCluster(json.loads(path.read_text())["address"])
    except (ValueError, KeyError) as error:
        raise WorkflowError(f"{path} is not a scheduler file of Dask: {error}") from error
