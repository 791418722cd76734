"""A cluster that runs already: an address such as tcp://host:8786, or a scheduler file."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import dask
from distributed import Security, rpc
from distributed.comm import get_address_host_port
from snakemake_interface_common.exceptions import WorkflowError

from . import KINDS, Cluster, Request

CONNECT_SECONDS = 15.0


class ExistingCluster(Cluster):
    """Someone else's cluster: used, and left as it was.

    `id_` is the scheduler's own, which its file tells.
    """

    def __init__(self, name: str, address: str, id_: str | None = None) -> None:
        self.name = name
        self.address = address
        if address.startswith("tls:") and not dask.config.get("distributed.comm.tls.client.cert"):
            raise WorkflowError(
                f"--dask-cluster {name}: {address} wants to be shown a key. Tell Dask which, by "
                "DASK_CONFIG=<folder of the keys> in the environment."
            )
        self._check(id_)

    def describe(self) -> str:
        """Return where it is."""
        file = "" if self.name == self.address else f" ({self.name})"
        return f"cluster at {self.address}{file}"

    def close(self) -> None:
        """Leave it running."""

    def _check(self, id_: str | None) -> None:
        """Raise an error, soon, unless the scheduler answers: a client would try for ever."""
        wrong = f"--dask-cluster {self.name}: "
        stale = " If the scheduler has ended, start it again, or remove the file." if id_ else ""
        if id_ and not _listens(self.address):
            raise WorkflowError(f"{wrong}nothing answers at {self.address}.{stale}")
        try:
            found = asyncio.run(asyncio.wait_for(_identity(self.address), CONNECT_SECONDS))
        except Exception as error:
            # Of what speaks another language anything can come, in place of an answer.
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            raise WorkflowError(
                f"{wrong}no Dask scheduler answers at {self.address} ({reason}).{stale}"
            ) from error
        if id_ and found["id"] != id_:
            raise WorkflowError(f"{wrong}at {self.address} is another scheduler now.{stale}")


def connect(request: Request) -> ExistingCluster:
    """Find the scheduler's address."""
    if "://" in request.name:
        return ExistingCluster(request.name, request.name)
    path = request.start / request.name
    if not path.is_file():
        raise WorkflowError(
            f"--dask-cluster {request.name}: neither one of {', '.join(KINDS)}, nor an address "
            "(tcp://host:port), nor a scheduler file."
        )
    try:
        content = json.loads(path.read_text())
        address, id_ = content["address"], content["id"]
    except (ValueError, KeyError) as error:
        raise WorkflowError(f"{path} is not a scheduler file of Dask: {error}") from error
    return ExistingCluster(request.name, address, id_)


async def _identity(address: str) -> dict[str, Any]:
    """Ask the scheduler who it is."""
    arguments = Security().get_connection_args("client")
    async with rpc(address, connection_args=arguments, timeout=CONNECT_SECONDS) as scheduler:
        identity: dict[str, Any] = await scheduler.identity(n_workers=0)
        return identity


def _listens(address: str) -> bool:
    """Whether something listens there: known at once, and not after some time of trying."""
    try:
        socket.create_connection(get_address_host_port(address), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
