"""A cluster that runs already: an address such as tcp://host:8786, or a scheduler file."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from snakemake_interface_common.exceptions import WorkflowError

from . import KINDS, Cluster, Request

CONNECT_SECONDS = 10.0


class ExistingCluster(Cluster):
    """Someone else's cluster: used, and left as it was."""

    def __init__(self, address: str, file: Path | None = None) -> None:
        self.address = address
        self.file = file
        if file and not _answers(address):
            raise WorkflowError(
                f"--dask-cluster {file}: nothing answers at {address}. Its scheduler has ended and "
                "left the file; start it again, or remove the file."
            )

    def describe(self) -> str:
        """Return where it is."""
        return f"cluster at {self.address}" + (f" ({self.file})" if self.file else "")

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
        return ExistingCluster(json.loads(path.read_text())["address"], path)
    except (ValueError, KeyError) as error:
        raise WorkflowError(f"{path} is not a scheduler file of Dask: {error}") from error


def _answers(address: str) -> bool:
    """Whether something listens there: known at once, and not after a minute of trying."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
