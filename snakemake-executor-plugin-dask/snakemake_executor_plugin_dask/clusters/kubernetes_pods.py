"""What Kubernetes says of a cluster's pods: what keeps them from running, what has ended them."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

import kr8s
from kr8s.asyncio.objects import Event, Pod

NOT_PULLED = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName")
ON_ITS_WAY = ("ContainerCreating", "PodInitializing")


async def pods_of(name: str, namespace: str, component: str) -> list[Pod]:
    """Return the pods of a cluster's `component`, "scheduler" or "worker"."""
    labels = {"dask.org/cluster-name": name, "dask.org/component": component}
    return [pod async for pod in Pod.list(namespace=namespace, label_selector=labels)]


def is_ready(pod: Pod) -> bool:
    """Whether all containers of a pod run, and answer if they are asked."""
    conditions = pod.raw.get("status", {}).get("conditions", ())
    return any(known["type"] == "Ready" and known["status"] == "True" for known in conditions)


def obstacle(pod: Mapping[str, Any]) -> tuple[bool, str] | None:
    """Return what is wrong with a pod in Kubernetes' words, and whether it waits in vain.

    A pod without a node may get one; a container that has ended is started again.
    """
    status = pod.get("status", {})
    if status.get("phase") == "Failed" and status.get("reason"):
        return False, f"{status['reason']}: {status.get('message', '')}"
    for condition in status.get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return False, f"{condition.get('reason')}: {condition.get('message')}"
    ended = None
    kinds = ("initContainerStatuses", "containerStatuses")
    for container in (container for kind in kinds for container in status.get(kind, ())):
        state = container.get("state", {})
        termination = _termination(container, state) or _termination(
            container, container.get("lastState", {})
        )
        ended = ended or termination
        waiting = state.get("waiting")
        if waiting and waiting.get("reason") not in ON_ITS_WAY:
            text = f"{waiting.get('reason')}: {waiting.get('message', '')}"
            if waiting.get("reason") in NOT_PULLED:
                text += f" (image {container.get('image')})"
            if termination:
                text += f" ({termination})"
            return True, text
    return (False, ended) if ended else None


def _termination(container: Mapping[str, Any], state: Mapping[str, Any]) -> str | None:
    ended = state.get("terminated")
    if not ended or ended.get("exitCode") == 0:
        return None
    text = f"{ended.get('reason')}: exit code {ended.get('exitCode')} of {container.get('name')}"
    return f"{text}, {ended['message'].strip()}" if ended.get("message") else text


def worst(pods: list[Pod]) -> tuple[bool, str]:
    """Return the obstacle to be told first; what is waited for in vain comes before the rest."""
    found = [*filter(None, (obstacle(pod.raw) for pod in pods))]
    return max(found, key=lambda known: known[0], default=(False, ""))


def troubles(pods: list[Pod]) -> dict[str, str]:
    """Return what is wrong with some of many pods, a line for each kind of it."""
    found = Counter(known[1] for pod in pods if (known := obstacle(pod.raw)))
    return {
        text.partition(":")[0]: f"{count} of {len(pods)} workers' pods: {text}"
        for text, count in found.items()
    }


async def complaints(name: str, namespace: str, ready: Collection[str]) -> str:
    """Return what Kubernetes says of the objects of a cluster, such as of a quota.

    What it has said of pods that are ready by now is past.
    """
    with contextlib.suppress(kr8s.ServerError):
        events = [event.raw async for event in Event.list(namespace=namespace)]
        told: dict[str, str] = {}
        for event in events:
            about = event["involvedObject"]["name"]
            if event.get("type") == "Warning" and about.startswith(name) and about not in ready:
                text = f"{event.get('reason')}: {event.get('message')}"
                # What may not be made is tried again and again, by other names.
                told.setdefault(re.sub(rf"{re.escape(name)}-[\w-]+", name, text), text)
        return "; ".join(told.values())
    return ""
