"""What a run asks of the Dask operator: a `DaskCluster`, made of one YAML file.

The file is Dask's configuration with a section `kubernetes`. Its keys are those of dask-kubernetes,
and four that its configuration doesn't have: `scheduler-resources`, and `pod`, `scheduler-pod` and
`container`, whose fields are Kubernetes' own. `pod` is of every pod, `container` of the container
in it; a field of `scheduler-pod` stands in place of that of `pod` in the scheduler's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import dask
import jsonschema
import yaml
from dask_kubernetes.operator import make_cluster_spec
from snakemake_interface_common.exceptions import WorkflowError

from .node import CONFIG

TEXT, FIELDS, SECONDS = {"type": "string"}, {"type": "object"}, {"type": "number", "minimum": 0}
KEYS: dict[str, dict[str, Any]] = {
    "container": FIELDS,
    # Names and values, or a list as Kubernetes has it.
    "env": {"type": ["object", "array"], "items": {"type": "object", "required": ["name"]}},
    "idle-timeout": {"type": "integer", "minimum": 0},
    "image": TEXT,
    "namespace": TEXT,
    "pod": FIELDS,
    "port-forward-cluster-ip": {"type": "boolean"},
    "resource-timeout": SECONDS,
    "resources": FIELDS,
    "scheduler-pod": FIELDS,
    "scheduler-resources": FIELDS,
    "scheduler-service-type": {"enum": ["ClusterIP", "LoadBalancer", "NodePort"]},
}
# What is made of other keys, or differs between scheduler and worker.
TAKEN = {
    "pod": {"containers"},
    "scheduler-pod": {"containers"},
    "container": {"args", "command", "image", "name", "ports", "resources"},
}
LABEL = {"app.kubernetes.io/managed-by": "snakemake-executor-plugin-dask"}
# After so many seconds without a job the operator deletes a cluster: that of a killed run.
IDLE_SECONDS = 3600
SCHEMAS = "operator/deployment/helm/dask-kubernetes-operator/crds"
QUANTITY = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?")
CONFIG_OF_PODS = CONFIG | {
    # What the probes, and the operator when it scales, ask for; no pages of logs and metrics.
    "distributed.scheduler.http.routes": [
        "distributed.http.health",
        "distributed.http.scheduler.api",
    ],
    "distributed.worker.http.routes": ["distributed.http.health"],
    # The memory is that of the jobs, which the worker doesn't measure.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
}


def read_settings(file: Path | None) -> dict[str, Any]:
    """Return the section `kubernetes` of a file, and of the environment (``DASK_KUBERNETES__...``).

    Raises WorkflowError, which names the file and the key.
    """
    if file is None:
        raise WorkflowError("--dask-cluster kubernetes: needs --dask-config FILE with an image.")
    try:
        settings = dask.config.collect([str(file)]).get("kubernetes")
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise WorkflowError(f"{file}: can't be read: {error}") from error
    if not file.is_file() or not isinstance(settings, dict) or not settings.get("image"):
        raise WorkflowError(f"{file}: has no section `kubernetes` with the key `image`.")
    # Names in the environment have no hyphens. What has no value is as if it weren't there.
    settings = {str(key).replace("_", "-"): value for key, value in settings.items()}
    settings = {key: value for key, value in settings.items() if value is not None}
    if unknown := sorted(settings.keys() - KEYS.keys()):
        raise WorkflowError(
            f"{file}: kubernetes: there is no key {', '.join(unknown)}; there are "
            f"{', '.join(sorted(KEYS))}."
        )
    if wrong := [*_mistakes(settings)]:
        raise WorkflowError(f"{file}: kubernetes: {'; '.join(wrong)}.")
    return settings


def _mistakes(settings: Mapping[str, Any]) -> Iterator[str]:
    schema = {"properties": KEYS}
    for error in jsonschema.Draft202012Validator(schema).iter_errors(settings):
        yield f"{'.'.join(map(str, error.path))}: {error.message}"
    for key, taken in TAKEN.items():
        fields = settings.get(key)
        if isinstance(fields, dict) and (found := sorted(taken & fields.keys())):
            yield f"{key}.{found[0]}: is made of the other keys, and can't be set"
    if isinstance(container := settings.get("container"), dict):
        yield from _mistakes({"env": container["env"]} if "env" in container else {})


def cluster_spec(
    settings: Mapping[str, Any],
    name: str,
    workers: int,
    owners: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return the `DaskCluster`; raises WorkflowError with the places that its schema refuses.

    `owners` are references to objects with which Kubernetes deletes it, too.
    """
    # A job is run by a process of its own, so that the worker needs no nanny. Its jobs may have
    # what the worker itself leaves: when a pod is out of memory, all that is in it is ended.
    command = ["dask", "worker", "--no-nanny", "--memory-limit", "0.875"]
    spec: dict[str, Any] = make_cluster_spec(
        name=name,
        image=settings["image"],
        n_workers=workers,
        resources=settings.get("resources") or {},
        worker_command=command,
        scheduler_service_type=settings.get("scheduler-service-type") or "ClusterIP",
        idle_timeout=settings.get("idle-timeout", IDLE_SECONDS),
    )
    spec["metadata"]["labels"] = dict(LABEL)
    if owners:
        spec["metadata"]["ownerReferences"] = owners
    fields = settings.get("container") or {}
    own = {_variable(key): str(value) for key, value in CONFIG_OF_PODS.items()}
    env = merged(own, settings.get("env") or {}, fields.get("env") or {})
    pod = settings.get("pod") or {}
    pods = {"scheduler": pod | (settings.get("scheduler-pod") or {}), "worker": pod}
    for role, of_pod in pods.items():
        spec["spec"][role]["spec"] |= of_pod
        spec["spec"][role]["spec"]["containers"][0] |= fields | {"env": env}
    scheduler = spec["spec"]["scheduler"]["spec"]["containers"][0]
    # The one that dask-kubernetes names has gone from Dask.
    scheduler["args"] = ["dask", "scheduler", "--host", "0.0.0.0"]
    scheduler["resources"] = settings.get("scheduler-resources") or {}
    check(spec, "daskcluster")
    return spec


def merged(*parts: Mapping[str, Any] | list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return variables of the environment as Kubernetes lists them; of one name the last counts.

    >>> merged({"A": "1", "B": "2"}, [{"name": "A", "value": "3"}])
    [{'name': 'A', 'value': '3'}, {'name': 'B', 'value': '2'}]
    """
    named: dict[str, dict[str, Any]] = {}
    for part in parts:
        if isinstance(part, Mapping):
            part = [{"name": name, "value": value} for name, value in part.items()]
        named |= {entry["name"]: entry for entry in part}
    return [*named.values()]


def check(resource: Mapping[str, Any], kind: str) -> None:
    """Raise WorkflowError with every place that a resource's own schema doesn't allow.

    Nor may there be fields that it doesn't know, which Kubernetes would leave out in silence.
    """
    file = files("dask_kubernetes").joinpath(SCHEMAS, f"{kind}.yaml")
    definition = yaml.safe_load(file.read_text())
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"] |= {"apiVersion": TEXT, "kind": TEXT, "metadata": {"type": "object"}}
    wrong = [
        f"{'.'.join(map(str, error.path))}: {error.message}"
        for error in jsonschema.Draft202012Validator(_closed(schema)).iter_errors(resource)
    ]
    for place, value in _quantities(resource):
        if isinstance(value, str) and not QUANTITY.fullmatch(value):
            wrong.append(f"{place}: {value!r} is no quantity, such as 500m or 16Gi")
    if wrong:
        raise WorkflowError("The cluster that --dask-config describes: " + "; ".join(wrong))


def _closed(schema: Any) -> Any:
    """Return a schema that allows no fields but those it names."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(part) for key, part in schema.items()}
    # The names of fields may be `type` and `properties` too.
    if schema.get("type") == "object" and isinstance(schema.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed


def _quantities(thing: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the amounts that are requested or limits, and where they stand."""
    parts = thing.items() if isinstance(thing, dict) else enumerate(thing)
    for key, part in parts:
        where = f"{place}.{key}".removeprefix(".")
        if key in ("requests", "limits") and isinstance(part, dict):
            yield from ((f"{where}.{name}", value) for name, value in part.items())
        elif key == "sizeLimit":
            yield where, part
        elif isinstance(part, dict | list):
            yield from _quantities(part, where)


def _variable(key: str) -> str:
    return "DASK_" + key.upper().replace("-", "_").replace(".", "__")
