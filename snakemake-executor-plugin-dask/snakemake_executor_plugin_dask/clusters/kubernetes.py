"""Workers in pods: a cluster of the Dask operator's, made for the run and deleted with it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
import threading
import time
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import kr8s
from snakemake.logging import logger
from snakemake_interface_common.exceptions import WorkflowError

from . import Cluster, Request
from .kubernetes_api import OWN_NAMESPACE, UNREACHABLE, delete, own_namespace, owners, told
from .kubernetes_operated import PATIENCE_SECONDS, OperatedCluster
from .kubernetes_pods import pods_of, troubles
from .kubernetes_spec import cluster_spec, read_settings

# How long a start may take, with `resource-timeout` not set. A pod that has no node yet may get
# one by then; what else a pod waits for doesn't mend itself.
START_SECONDS = 50.0
WATCH_SECONDS = 5.0
# How often the scheduler is looked for again when it was lost.
RESTARTS = 5
T = TypeVar("T")

quiet_logger = logging.getLogger(__name__)


class KubernetesCluster(Cluster):
    """A scheduler and workers in pods, of a fixed number or as many as the work can use."""

    def __init__(self, request: Request) -> None:
        self.settings = read_settings(request.config)
        self.workers = request.workers
        self.name = f"snakemake-{secrets.token_hex(4)}"
        self.namespace = self.settings.get("namespace") or own_namespace()
        self.seconds = self.settings.get("resource-timeout") or START_SECONDS
        self.restarts = RESTARTS
        self.kube: OperatedCluster | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        # Checked before anything is made.
        self._spec([])
        self.loop = asyncio.new_event_loop()
        # Each connection that the port forwarding can't make ends in an exception of nobody's.
        self.loop.set_exception_handler(lambda _, about: quiet_logger.info("%s", about))
        threading.Thread(target=self.loop.run_forever, name="kubernetes", daemon=True).start()
        try:
            with ended_by_sigterm():
                self._start()
        except BaseException:
            # Also on Ctrl-C, when it may or may not be there already.
            with contextlib.suppress(WorkflowError):
                self.close()
            raise

    def describe(self) -> str:
        """Return the name and the size."""
        least, most = self.workers
        number = str(least) if least == most else f"{least} to {most}"
        return f"Kubernetes, namespace {self.namespace}, {self.name}, {number} workers"

    def restart(self) -> bool:
        """Connect to the scheduler again, in the pod that Kubernetes starts for one that is lost.

        A cluster that was deleted is made again.
        """
        if self.restarts <= 0:
            return False
        self.restarts -= 1
        self._start()
        return True

    def close(self) -> None:
        """Delete all that was made. Raises WorkflowError, and says so, when something is left."""
        try:
            self._run(self._end())
        except Exception as error:
            reason = told(error) or f"{type(error).__name__}: {error}"
            text = (
                f"{self.describe()}: not deleted: {reason}. See what is left with python -m "
                "snakemake_executor_plugin_dask.clusters.leftovers --namespace " + self.namespace
            )
            logger.error(text)
            raise WorkflowError(text) from error
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)

    def _start(self) -> None:
        try:
            self.address = self._run(self._begin())
        except Exception as error:
            if text := told(error):
                raise WorkflowError(f"{self.describe()}: {text}") from error
            raise

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run in the loop; what interrupts the waiting, such as Ctrl-C, ends it there too."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _spec(self, owners: list[dict[str, Any]]) -> dict[str, Any]:
        # At least one in the beginning: what a worker offers is known when it is there.
        return cluster_spec(self.settings, self.name, max(1, self.workers[0]), owners)

    async def _begin(self) -> str:
        """Make the cluster, or connect to it. Returns the scheduler's address."""
        task = asyncio.current_task()
        assert task
        self.tasks.add(task)
        if self.kube:
            await self.kube.settle()
        outside = self.settings.get("port-forward-cluster-ip", not OWN_NAMESPACE.exists())
        least, most = self.workers
        began = time.monotonic()
        try:
            async with asyncio.timeout(self.seconds):
                spec = self._spec(await owners(self.namespace))
                self.kube = kube = OperatedCluster(spec, self.namespace, outside)
                await kube
                await kube.first_worker()
                if least < most:
                    await kube.adapt(minimum=least, maximum=most)
        except TimeoutError:
            seconds, reason = round(time.monotonic() - began), "the API doesn't answer"
            if self.kube:
                with contextlib.suppress(TimeoutError):
                    reason = await asyncio.wait_for(self.kube.reason(), PATIENCE_SECONDS)
                reason = f"no {self.kube.waits_for} in {seconds} s: {reason}"
            raise WorkflowError(f"{self.namespace}/{self.name}: {reason}") from None
        finally:
            self.tasks.discard(task)
        if not self.tasks:
            self.tasks.add(asyncio.create_task(self._watch()))
        return str(kube.scheduler_address)

    async def _watch(self) -> None:
        """Say once of each kind of trouble that workers have it, also while others work."""
        told: set[str] = set()
        while True:
            with contextlib.suppress(kr8s.ServerError, *UNREACHABLE):
                found = troubles(await pods_of(self.name, self.namespace, "worker"))
                for kind in found.keys() - told:
                    logger.warning(f"Dask, {self.describe()}: {found[kind]}")
                told |= found.keys()
            await asyncio.sleep(WATCH_SECONDS)

    async def _end(self) -> None:
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=PATIENCE_SECONDS)
        if self.kube:
            await self.kube.settle()
            if self.kube.was_refused and self.restarts == RESTARTS:
                return  # nothing was ever made
        await delete(self.name, self.namespace)


def connect(request: Request) -> KubernetesCluster:
    """Start a cluster."""
    return KubernetesCluster(request)


@contextlib.contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Have SIGTERM end this like Ctrl-C does, until Snakemake's scheduler takes the signal over."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: Any) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    former = signal.signal(signal.SIGTERM, end)
    yield
    if former != signal.SIG_DFL:
        signal.signal(signal.SIGTERM, former)
