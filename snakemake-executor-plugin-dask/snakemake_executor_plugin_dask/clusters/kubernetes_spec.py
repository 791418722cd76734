"""What a run asks of the Dask operator: a `DaskCluster`, made of one YAML file.

The file is Dask's configuration with a section `kubernetes`. Its keys are those of dask-kubernetes,
and three that its configuration doesn't have: `scheduler-resources`, and `pod` and `container`,
whose fields are Kubernetes' own and are those of every pod and of its container.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import dask
import jsonschema
import yaml
from dask_kubernetes.operator import make_cluster_spec
from snakemake_interface_common.exceptions import WorkflowError

from .node import CONFIG

KEYS = {
    "container",
    "env",
    "image",
    "namespace",
    "pod",
    "port-forward-cluster-ip",
    "resource-timeout",
    "resources",
    "scheduler-resources",
    "scheduler-service-type",
}
LABEL = {"app.kubernetes.io/managed-by": "snakemake-executor-plugin-dask"}
CRD = "operator/deployment/helm/dask-kubernetes-operator/crds/daskcluster.yaml"


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
    if unknown := sorted(settings.keys() - KEYS):
        raise WorkflowError(
            f"{file}: kubernetes: there is no key {', '.join(unknown)}; there are "
            f"{', '.join(sorted(KEYS))}."
        )
    return settings


def cluster_spec(settings: Mapping[str, Any], name: str, workers: int) -> dict[str, Any]:
    """Return the `DaskCluster`; raises WorkflowError with the places that its schema refuses."""
    # A job is run by a process of its own, so that the worker needs no nanny; nor does it count
    # what its jobs use.
    command = ["dask", "worker", "--no-nanny", "--memory-limit", "0"]
    own = {_variable(key): str(value) for key, value in CONFIG.items()}
    spec: dict[str, Any] = make_cluster_spec(
        name=name,
        image=settings["image"],
        n_workers=workers,
        resources=settings.get("resources") or {},
        env=own | (settings.get("env") or {}),
        worker_command=command,
        scheduler_service_type=settings.get("scheduler-service-type") or "ClusterIP",
    )
    spec["metadata"]["labels"] = dict(LABEL)
    for role in ("scheduler", "worker"):
        pod = spec["spec"][role]["spec"]
        pod |= settings.get("pod") or {}
        pod["containers"][0] |= settings.get("container") or {}
    scheduler = spec["spec"]["scheduler"]["spec"]["containers"][0]
    # The one that dask-kubernetes names has gone from Dask.
    scheduler["args"] = ["dask", "scheduler", "--host", "0.0.0.0"]
    scheduler["resources"] = settings.get("scheduler-resources") or {}
    check(spec)
    return spec


def check(spec: Mapping[str, Any]) -> None:
    """Raise WorkflowError with every place that the resource's own schema doesn't allow."""
    definition = yaml.safe_load(files("dask_kubernetes").joinpath(CRD).read_text())
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    wrong = [
        f"{'.'.join(map(str, error.path))}: {error.message}"
        for error in jsonschema.Draft202012Validator(schema).iter_errors(spec)
    ]
    if wrong:
        raise WorkflowError("The cluster that --dask-config describes: " + "; ".join(wrong))


def _variable(key: str) -> str:
    return "DASK_" + key.upper().replace("-", "_").replace(".", "__")
