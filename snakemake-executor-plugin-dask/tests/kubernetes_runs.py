"""Runs on the stub of Kubernetes: see kubernetes_api.py for what that is and isn't."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Project
from kubernetes_api import KubernetesApi

CONFIG = """
kubernetes:
  image: registry.example/features:1
  env: {TEAM: quant}
  resources: {limits: {cpu: "1", memory: 1Gi}}
  resource-timeout: %s
"""
WORKFLOW = """
rule all:
    input: expand("{i}.txt", i=range(6))
rule one:
    output: "{i}.txt"
    script: "one.py"
"""
SCRIPT = """
import os, time
time.sleep(%s)
open(snakemake.output[0], "w").write(os.environ["TEAM"])
"""
Start = Callable[..., KubernetesApi]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Start]:
    made: list[KubernetesApi] = []

    def start(mode: str = "") -> KubernetesApi:
        made.append(KubernetesApi(tmp_path, mode))
        return made[-1]

    yield start
    for stub in made:
        stub.close()


def prepare(
    project: Project, timeout: float = 60, seconds: float = 0, balancer: bool = False
) -> None:
    project.write("Snakefile", WORKFLOW)
    project.write("one.py", SCRIPT % seconds)
    config = CONFIG % timeout
    if balancer:
        config += "  scheduler-service-type: LoadBalancer\n"
    project.write("kubernetes.yaml", config)


def arguments(*more: str) -> tuple[str, ...]:
    return ("--dask-cluster", "kubernetes", "--dask-config", "kubernetes.yaml", *more)


def leftovers(kubeconfig: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake_executor_plugin_dask.clusters.leftovers", *more]
    env = os.environ | {"KUBECONFIG": str(kubeconfig)}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=90)
