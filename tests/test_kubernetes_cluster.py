"""Runs on a real cluster: pytest -m kubernetes --numprocesses 0, with what the environment names.

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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import copy_checkout, snakemake

from deriv_ops.locations import location

pytestmark = [
    pytest.mark.kubernetes,
    pytest.mark.skipif("KUBECONFIG" not in os.environ, reason="KUBECONFIG isn't set"),
]
LEFTOVERS = [sys.executable, "-m", "snakemake_executor_plugin_dask.clusters.leftovers"]
# For as long as workers need to come, and for one of them as long as the others need to go.
CATALOG = """
from deriv_ops import AbstractDerivation, Map, Var, op
from deriv_ops.catalogs.toy import Basic

class Slow(AbstractDerivation):
    many = Map(op.wait_for_dask, Basic.all_prices, {"seconds": [30 + i / 10 for i in range(24)]})
    last = Var(op.wait_for_dask, many[30.0], {"seconds": 150.0})
"""


def image() -> dict[str, str]:
    return {"DASK_KUBERNETES__IMAGE": os.environ["DERIV_OPS_IMAGE"]}


class Run:
    """Derivations that take their time on the cluster, with results of their own."""

    def __init__(self, folder: Path, workers: str) -> None:
        import kr8s

        self.kr8s = kr8s
        self.results = f"{os.environ['DERIV_OPS_STORAGE']}/{secrets.token_hex(4)}"
        self.folder = copy_checkout(folder / "project")
        (self.folder / "config/slow.py").write_text(CATALOG)
        others = set(self.clusters())
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "snakemake", "--profile", "profiles/kubernetes"),
                *("--dask-workers", workers, "--config", f"results_dir={self.results}"),
                "catalog=config/slow.py",
            ],
            cwd=self.folder,
            env=os.environ
            | {
                "PYTHONPATH": str(self.folder),
                "DASK_KUBERNETES__IMAGE": os.environ["DERIV_OPS_IMAGE"],
            },
        )
        # A colleague may start one in this moment: then there are two, and the test fails.
        [self.name] = self.wait_for(lambda: set(self.clusters()) - others)

    def clusters(self) -> list[str]:
        return [thing.name for thing in self.kr8s.get("daskclusters.kubernetes.dask.org")]

    def workers(self) -> list[str]:
        """Return the names of this run's worker pods that are ready."""
        labels = {"dask.org/cluster-name": self.name, "dask.org/component": "worker"}
        pods = self.kr8s.get("pods", label_selector=labels)
        return [pod.name for pod in pods if pod.ready()]

    def wait_for(self, condition: Callable[[], Any], seconds: float = 300) -> Any:
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert self.process.poll() is None, "the run has ended"
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(1)
        return value

    def finish(self) -> None:
        assert self.process.wait(600) == 0
        assert len([*(location(self.results) / "slow").iterdir()]) == 25
        there = subprocess.run(LEFTOVERS, capture_output=True, text=True, check=True).stdout
        assert self.name not in there


def test_the_toy_model(tmp_path: Path):
    results = f"{os.environ['DERIV_OPS_STORAGE']}/{secrets.token_hex(4)}"
    folder = copy_checkout(tmp_path / "project")
    command = ("--profile", "profiles/kubernetes", "--dask-workers", "1")
    config = ("--config", f"results_dir={results}")
    snakemake(*command, *config, cwd=folder, timeout=600, PYTHONPATH=str(folder), **image())
    assert len([*(location(results) / "temporary").iterdir()]) == 8


def test_from_one_worker_to_three_and_back(tmp_path: Path):
    run = Run(tmp_path, "1:3")
    run.wait_for(lambda: len(run.workers()) == 3)
    run.wait_for(lambda: len(run.workers()) == 1)
    run.finish()


def test_a_worker_pod_that_is_deleted_is_replaced(tmp_path: Path):
    run = Run(tmp_path, "2")
    before = set(run.wait_for(lambda: len(there := run.workers()) == 2 and there))
    lost = before.pop()
    run.kr8s.objects.Pod.get(lost).delete()
    after = run.wait_for(lambda: len(there := run.workers()) == 2 and lost not in there and there)
    assert before < set(after)
    run.finish()
