"""The toy model on a real cluster: pytest -m kubernetes, with what the environment names.

KUBECONFIG, DERIV_OPS_IMAGE (of envs/Dockerfile, as the cluster pulls it), DERIV_OPS_STORAGE (a URL
that pods and this machine can write to), and its credentials. The namespace has the manifests
and, for the pods, the Secret `object-storage`.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import copy_checkout, snakemake

from deriv_ops.locations import location

pytestmark = [
    pytest.mark.kubernetes,
    pytest.mark.skipif("KUBECONFIG" not in os.environ, reason="KUBECONFIG isn't set"),
]
LEFTOVERS = [sys.executable, "-m", "snakemake_executor_plugin_dask.clusters.leftovers"]


def pods() -> list[str]:
    import kr8s

    selector = {"dask.org/component": "worker"}
    return [pod.name for pod in kr8s.get("pods", label_selector=selector)]


@pytest.mark.parametrize("workers", ["1", "1:3"])
def test_the_toy_model(tmp_path: Path, workers: str):
    results = f"{os.environ['DERIV_OPS_STORAGE']}/{secrets.token_hex(4)}"
    environment = {"DASK_KUBERNETES__IMAGE": os.environ["DERIV_OPS_IMAGE"]}
    folder = copy_checkout(tmp_path / "project")
    command = ("--profile", "profiles/kubernetes", "--dask-workers", workers)
    config = ("--config", f"results_dir={results}")
    snakemake(*command, *config, cwd=folder, timeout=600, PYTHONPATH=str(folder), **environment)
    assert len([*(location(results) / "temporary").iterdir()]) == 8
    assert subprocess.run(LEFTOVERS, capture_output=True, text=True).stdout == ""


def test_a_worker_pod_that_is_deleted_is_replaced(tmp_path: Path):
    import kr8s

    results = f"{os.environ['DERIV_OPS_STORAGE']}/{secrets.token_hex(4)}"
    folder = copy_checkout(tmp_path / "project")
    run = subprocess.Popen(
        [
            *(sys.executable, "-m", "snakemake", "--profile", "profiles/kubernetes"),
            *("--dask-workers", "2", "--config", f"results_dir={results}"),
        ],
        cwd=folder,
        env=os.environ
        | {"PYTHONPATH": str(folder), "DASK_KUBERNETES__IMAGE": os.environ["DERIV_OPS_IMAGE"]},
    )
    while not (there := pods()):
        assert run.poll() is None
        time.sleep(1)
    kr8s.objects.Pod.get(there[0]).delete()
    assert run.wait(600) == 0
    assert len([*(location(results) / "temporary").iterdir()]) == 8
