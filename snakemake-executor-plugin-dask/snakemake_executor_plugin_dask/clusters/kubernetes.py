"""Workers in pods: a cluster of the Dask operator's, made for the run and deleted with it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kr8s
from dask_kubernetes.operator import KubeCluster
from dask_kubernetes.operator._objects import DaskCluster
from distributed.utils import TimeoutError as DaskTimeoutError
from kr8s.asyncio.objects import Event, Pod
from snakemake.logging import logger
from snakemake_interface_common.exceptions import WorkflowError

from . import Cluster, Request
from .kubernetes_spec import cluster_spec, read_settings

# In a pod, and nowhere else, its namespace stands here.
OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
# How long a start may take, with `resource-timeout` not set. A pod that has no node yet may get
# one by then; what else a pod waits for doesn't mend itself.
START_SECONDS = 50.0
GRACE_SECONDS = 10.0
CLOSE_SECONDS = 60
MENDS = {
    403: "the service account, or whoever the kubeconfig names, needs the rights of the Role in "
    "profiles/kubernetes/manifests",
    404: "there are no DaskClusters here: install the Dask operator",
}
NOT_PULLED = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName")


class OperatedCluster(KubeCluster):  # type: ignore[misc]
    """Dask's own, waiting in a way that ends when there is nothing to wait for."""

    async def _start(self) -> None:
        try:
            await super()._start()
        except BaseException:
            # Whoever asked for it deletes what was made, and not once more at the exit.
            self.shutdown_on_close = False
            raise

    async def _watch_component_status(self) -> None:
        """Leave it: it feeds a display that isn't shown, and a call refused to it cuts others."""

    async def _wait_for_controller(self) -> None:
        # The operator may leave the phase at Pending, which the base class waits for in vain: the
        # scheduler's pod is what counts.
        await wait_for_pod(self.name, self.namespace, "scheduler", self._resource_timeout)


class KubernetesCluster(Cluster):
    """A scheduler and workers in pods, of a fixed number or as many as the work can use."""

    def __init__(self, request: Request) -> None:
        settings = read_settings(request.config)
        self.workers = request.workers
        self.name = f"snakemake-{secrets.token_hex(4)}"
        self.namespace = settings.get("namespace") or own_namespace()
        forward = settings.get("port-forward-cluster-ip")
        least, most = self.workers
        # At least one in the beginning: what a worker offers is known when it is there.
        spec = cluster_spec(settings, self.name, max(1, least))
        seconds = settings.get("resource-timeout") or START_SECONDS
        self.kube: OperatedCluster | None = None
        try:
            self.kube = OperatedCluster(
                custom_cluster_spec=spec,
                namespace=self.namespace,
                resource_timeout=seconds,
                port_forward_cluster_ip=not OWN_NAMESPACE.exists() if forward is None else forward,
                quiet=True,
            )
            self.kube.sync(wait_for_pod, self.name, self.namespace, "worker", seconds)
            if least < most:
                self.kube.adapt(minimum=least, maximum=most)
        except BaseException as error:
            # Also on Ctrl-C, when it may or may not be there already.
            self.close()
            if isinstance(error, kr8s.ServerError):
                raise WorkflowError(f"{self.describe()}: {_refusal(error)}") from error
            if isinstance(error, OSError | kr8s.APITimeoutError | kr8s.ConnectionClosedError):
                raise WorkflowError(f"{self.describe()}: {error}") from error
            raise
        self.address = self.kube.scheduler_address

    def describe(self) -> str:
        """Return the name and the size."""
        least, most = self.workers
        number = str(least) if least == most else f"{least} to {most}"
        return f"Kubernetes, namespace {self.namespace}, {self.name}, {number} workers"

    def close(self) -> None:
        """Delete all that was made."""
        try:
            if self.kube:
                self.kube.close(timeout=CLOSE_SECONDS)
            else:
                asyncio.run(delete(self.name, self.namespace))
        except (Exception, DaskTimeoutError) as error:
            logger.error(
                f"{self.describe()}: not deleted: {error}. See what is left with "
                "python -m snakemake_executor_plugin_dask.clusters.leftovers"
            )


def connect(request: Request) -> KubernetesCluster:
    """Start a cluster."""
    return KubernetesCluster(request)


def own_namespace() -> str:
    """Return the namespace of this pod, else that of the kubeconfig's context."""
    if OWN_NAMESPACE.exists():
        return OWN_NAMESPACE.read_text().strip()
    try:
        return str(kr8s.api().namespace)
    except Exception as error:
        raise WorkflowError(f"Kubernetes can't be reached: {error}") from error


async def delete(name: str, namespace: str) -> None:
    """Delete a cluster, if it is there; the operator deletes what belongs to it."""
    with contextlib.suppress(kr8s.NotFoundError):
        await (await DaskCluster.get(name, namespace=namespace)).delete()


async def wait_for_pod(name: str, namespace: str, component: str, seconds: float) -> None:
    """Wait until a pod of a cluster is ready. Raises WorkflowError with what keeps it from that."""
    labels = {"dask.org/cluster-name": name, "dask.org/component": component}
    began, stuck_since = time.monotonic(), 0.0
    while True:
        pods = [pod async for pod in Pod.list(namespace=namespace, label_selector=labels)]
        for pod in pods:
            if await pod.ready():
                return
        now = time.monotonic()
        stuck, reason = next(filter(None, (obstacle(pod.raw) for pod in pods)), (False, ""))
        stuck_since = (stuck_since or now) if stuck else 0.0
        if stuck and now - stuck_since > GRACE_SECONDS:
            raise WorkflowError(f"{namespace}/{name}: no {component}: {reason}")
        if now - began > seconds:
            reason = reason or await complaints(name, namespace)
            reason = reason or (
                "its pods aren't ready"
                if pods
                else "no pod was made; is the Dask operator running?"
            )
            raise WorkflowError(f"{namespace}/{name}: no {component} in {seconds:g} s: {reason}")
        await asyncio.sleep(0.25)


def obstacle(pod: Mapping[str, Any]) -> tuple[bool, str] | None:
    """Return what a pod waits for in Kubernetes' words, and whether it waits in vain."""
    status = pod.get("status", {})
    for condition in status.get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return False, f"{condition.get('reason')}: {condition.get('message')}"
    for container in status.get("containerStatuses", ()):
        waiting = container.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") != "ContainerCreating":
            text = f"{waiting.get('reason')}: {waiting.get('message', '')}"
            if waiting.get("reason") in NOT_PULLED:
                text += f" (image {container.get('image')})"
            return True, text
    return None


async def complaints(name: str, namespace: str) -> str:
    """Return what Kubernetes says of the objects of a cluster, such as of a quota."""
    with contextlib.suppress(kr8s.ServerError):
        events = [event.raw async for event in Event.list(namespace=namespace)]
        told = [
            f"{event.get('reason')}: {event.get('message')}"
            for event in events
            if event.get("type") == "Warning" and event["involvedObject"]["name"].startswith(name)
        ]
        return "; ".join(dict.fromkeys(told))
    return ""


def _refusal(error: kr8s.ServerError) -> str:
    status = error.response.status_code if error.response is not None else 0
    mend = f" ({MENDS[status]})" if status in MENDS else ""
    return f"{error}{mend}"
