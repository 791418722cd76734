"""Kubernetes' API: where this is in the cluster, what is deleted, and what its errors mean."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path
from typing import Any

import httpx
import kr8s
from dask_kubernetes.operator._objects import DaskAutoscaler, DaskCluster
from kr8s.asyncio.objects import Pod
from snakemake_interface_common.exceptions import WorkflowError

# In a pod, and nowhere else, its namespace stands here.
OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
MENDS = {
    403: "the service account, or whoever the kubeconfig names, needs the rights of the Role in "
    "profiles/kubernetes/manifests",
    404: "there are no DaskClusters here: install the Dask operator",
}
REFUSALS = (401, 403)
UNREACHABLE = (OSError, httpx.HTTPError, kr8s.APITimeoutError, kr8s.ConnectionClosedError)
# How long is tried to delete, and waited for what is still being made.
CLOSE_SECONDS = 60.0


def own_namespace() -> str:
    """Return the namespace of this pod, else that of the kubeconfig's context."""
    if OWN_NAMESPACE.exists():
        return OWN_NAMESPACE.read_text().strip()
    try:
        return str(kr8s.api().namespace)
    except Exception as error:
        raise WorkflowError(f"Kubernetes can't be reached: {error}") from error


async def owners(namespace: str) -> list[dict[str, Any]]:
    """Return what Kubernetes has to delete a cluster with: the pod this runs in, if it does."""
    if not OWN_NAMESPACE.exists() or OWN_NAMESPACE.read_text().strip() != namespace:
        return []
    pod = await Pod(socket.gethostname(), namespace=namespace)
    if not await pod.exists():
        return []  # it has another name than its machine
    await pod.refresh()
    uid = pod.raw["metadata"]["uid"]
    return [{"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": uid}]


async def delete(name: str, namespace: str) -> None:
    """Delete a cluster and what scales it, if they are there, and wait until the cluster is gone.

    The operator deletes what else belongs to it. An API that can't be reached is asked again;
    raises what it answers, or that it doesn't, after a minute.
    """
    deadline = time.monotonic() + CLOSE_SECONDS
    while True:
        try:
            for kind in (DaskCluster, DaskAutoscaler):
                await _delete(await kind(name, namespace=namespace))
            if not await (await DaskCluster(name, namespace=namespace)).exists():
                return
        except (kr8s.ServerError, *UNREACHABLE) as error:
            if status_of(error) in REFUSALS or time.monotonic() > deadline:
                raise
        if time.monotonic() > deadline:
            raise TimeoutError(f"it is still there after {CLOSE_SECONDS:g} s")
        await asyncio.sleep(1)


async def _delete(thing: Any) -> None:
    try:
        await thing.delete()
    except kr8s.NotFoundError:
        pass
    except kr8s.ServerError as error:
        if status_of(error) != 404:
            raise


def status_of(error: BaseException) -> int:
    """Return the HTTP status of what the API has answered; 0 of other errors."""
    response = getattr(error, "response", None)
    return response.status_code if response is not None else 0


def told(error: Exception) -> str | None:
    """Return what is said of an error of the API's, with what to do about it; None of others."""
    if isinstance(error, kr8s.ServerError):
        mend = MENDS.get(status_of(error))
        return f"{error} ({mend})" if mend else str(error)
    if isinstance(error, UNREACHABLE):
        return f"the API can't be reached: {str(error) or type(error).__name__}"
    return None
