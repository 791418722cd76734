"""Dask's own cluster of the operator's, with its waiting mended."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx_ws
import kr8s
from dask_kubernetes.operator import KubeCluster
from dask_kubernetes.operator._objects import DaskCluster
from dask_kubernetes.operator.networking import get_scheduler_address
from distributed.core import rpc
from kr8s.asyncio.objects import Service
from snakemake_interface_common.exceptions import WorkflowError
from tornado.ioloop import IOLoop

from .kubernetes_api import CLOSE_SECONDS, MENDS, REFUSALS, status_of
from .kubernetes_pods import complaints, is_ready, pods_of, worst

GRACE_SECONDS = 10.0
POLL_SECONDS = 0.25
# How long is waited for what can't be helped any more.
PATIENCE_SECONDS = 5.0
FORWARD = "and from outside of the cluster get and create on pods/portforward"


class OperatedCluster(KubeCluster):  # type: ignore[misc]
    """Dask's own, within a loop, and waiting in a way that ends when there is nothing to wait for.

    `waits_for` is what it waits for just now.
    """

    def __init__(self, spec: dict[str, Any], namespace: str, forward: bool) -> None:
        self.creating: asyncio.Future[None] | None = None
        self.waits_for = "scheduler"
        super().__init__(
            custom_cluster_spec=copy.deepcopy(spec),
            namespace=namespace,
            port_forward_cluster_ip=forward,
            # Whoever asked for it deletes it, and not once more at the exit.
            shutdown_on_close=False,
            # Of the loop that this is called in, where the caller starts it.
            loop=IOLoop.current(),
            asynchronous=True,
            quiet=True,
        )

    async def _watch_component_status(self) -> None:
        """Leave it: it feeds a display that isn't shown, and a call refused to it cuts others."""

    async def _create_cluster(self) -> None:
        cluster = await DaskCluster(self._custom_cluster_spec, namespace=self.namespace)
        # A request that is given up may still be carried out, after the deletion: see `settle`.
        self.creating = asyncio.ensure_future(cluster.create())
        await asyncio.shield(self.creating)
        await self._connect_cluster()

    async def _connect_cluster(self) -> None:
        # The operator may leave the phase at Pending, which the base class waits for in vain: the
        # scheduler's pod is what counts.
        async def is_up() -> bool:
            return any(map(is_ready, await pods_of(self.name, self.namespace, "scheduler")))

        await self.until("scheduler", is_up)
        address = await self._get_scheduler_address()

        async def answers() -> bool:
            with contextlib.suppress(OSError):
                async with rpc(address) as scheduler:
                    await asyncio.wait_for(scheduler.identity(n_workers=0), PATIENCE_SECONDS)
                    return True
            return False

        self.waits_for = "connection to the scheduler"
        await self.until("scheduler", answers)
        self.scheduler_comm = rpc(address)
        # There is no dashboard.
        self.forwarded_dashboard_port = ""

    async def _get_scheduler_address(self) -> str:
        self.waits_for = "address of the scheduler"
        service = await Service(f"{self.name}-scheduler", namespace=self.namespace)

        async def has_address() -> bool:
            if not await service.exists():
                return False
            await service.refresh()
            balancer = service.raw.get("status", {}).get("loadBalancer") or {}
            return service.spec.type != "LoadBalancer" or bool(balancer.get("ingress"))

        await self.until("scheduler", has_address)
        if service.spec.type != "ClusterIP":
            return str(await get_scheduler_address(service.name, self.namespace))
        [port] = [port["port"] for port in service.raw["spec"]["ports"] if "comm" in port["name"]]
        if not self.port_forward_cluster_ip:
            return f"tcp://{service.name}.{self.namespace}:{port}"
        await self.check_forwarding(port)
        self.forward = service.portforward(port, "auto")
        return f"tcp://127.0.0.1:{await self.forward.start()}"

    async def check_forwarding(self, port: int) -> None:
        """Raise WorkflowError if the API forwards nothing, which kr8s would ask for for ever."""
        [pod] = [p for p in await pods_of(self.name, self.namespace, "scheduler") if is_ready(p)]
        where = {"name": pod.name, "namespace": pod.namespace, "ports": str(port)}
        url = f"{pod.endpoint}/{pod.name}/portforward"
        try:
            async with pod.api.open_websocket(
                version=pod.version, url=url, namespace=pod.namespace, params=where
            ):
                pass
        except httpx_ws.WebSocketUpgradeError as error:
            status = error.response.status_code
            mend = f" ({MENDS[403]}, {FORWARD})" if status in REFUSALS else ""
            raise WorkflowError(
                f"{self.namespace}/{self.name}: pods/portforward is refused: HTTP {status}{mend}"
            ) from error
        except httpx_ws.WebSocketDisconnect:
            pass  # the pod has ended what nobody has used

    async def first_worker(self) -> None:
        """Wait until a worker has come to the scheduler."""
        self.waits_for = "worker"

        async def has_worker() -> bool:
            return bool(self.scheduler_info["workers"])

        await self.until("worker", has_worker)

    async def until(self, component: str, holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait until something holds. Raises WorkflowError when a pod waits in vain."""
        stuck_since = 0.0
        while not await holds():
            stuck, reason = worst(await pods_of(self.name, self.namespace, component))
            now = time.monotonic()
            stuck_since = (stuck_since or now) if stuck else 0.0
            if stuck and now - stuck_since > GRACE_SECONDS:
                raise WorkflowError(f"{self.namespace}/{self.name}: no {component}: {reason}")
            await asyncio.sleep(POLL_SECONDS)

    async def reason(self) -> str:
        """Return what is known of why it isn't there yet."""
        component = "worker" if self.waits_for == "worker" else "scheduler"
        pods = await pods_of(self.name, self.namespace, component)
        scheduler = await pods_of(self.name, self.namespace, "scheduler")
        ready = {pod.name for pod in (*pods, *scheduler) if is_ready(pod)}
        if reason := worst(pods)[1] or await complaints(self.name, self.namespace, ready):
            return reason
        if not pods:
            return "no pod was made; is the Dask operator running, and what does its log say?"
        logs = f"see kubectl logs --namespace {self.namespace} {pods[0].name}"
        if not any(map(is_ready, pods)):
            return f"its pods aren't ready; {logs}"
        what = "come to the scheduler" if component == "worker" else "answered"
        return f"its pods run, but none has {what}; {logs}"

    @property
    def was_refused(self) -> bool:
        """Whether whoever asked may not make clusters, so that none is there to be deleted."""
        if not self.creating or not self.creating.done() or self.creating.cancelled():
            return False
        error = self.creating.exception()
        return isinstance(error, kr8s.ServerError) and status_of(error) in REFUSALS

    async def settle(self) -> None:
        """Let go of the scheduler, and have a creation under way come to its end."""
        if self.creating:
            await asyncio.wait({self.creating}, timeout=CLOSE_SECONDS)
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._close(), PATIENCE_SECONDS)
