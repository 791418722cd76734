"""Workers in pods, against a stub of the API: see kubernetes_api.py for what that is and isn't."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Project
from kubernetes_api import QUOTA, KubernetesApi

pytest.importorskip("dask_kubernetes")

CONFIG = """
kubernetes:
  image: registry.example/features:1
  scheduler-service-type: LoadBalancer
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


def prepare(project: Project, config: str = CONFIG % 20, seconds: float = 0) -> None:
    project.write("Snakefile", WORKFLOW)
    project.write("one.py", SCRIPT % seconds)
    project.write("kubernetes.yaml", config)


def arguments(*more: str) -> tuple[str, ...]:
    return ("--dask-cluster", "kubernetes", "--dask-config", "kubernetes.yaml", *more)


def leftovers(stub: KubernetesApi, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake_executor_plugin_dask.clusters.leftovers", *more]
    env = os.environ | {"KUBECONFIG": str(stub.kubeconfig)}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("workers, number", [("2", "2"), ("1:3", "1 to 3")])
def test_jobs_run_in_pods_that_are_gone_afterwards(
    project: Project, api: Start, workers: str, number: str
) -> None:
    prepare(project)
    stub = api()
    run = project.run(*arguments("--dask-workers", workers), KUBECONFIG=str(stub.kubeconfig))
    assert run.code == 0, run.text + stub.log.read_text()
    assert f"{number} workers" in run.text
    assert [project.read(f"{i}.txt") for i in range(6)] == ["quant"] * 6
    assert ("POST daskautoscalers" in stub.calls) == (workers == "1:3")
    assert stub.objects["daskclusters"] == {}
    assert not stub.processes
    assert "not-for-any-log" not in run.text


@pytest.mark.parametrize(
    "mode, told",
    [
        pytest.param(
            "no image",
            'ImagePullBackOff: Back-off pulling image "no/such:image" (image no/such',
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "no node",
            "no scheduler in 20 s: Unschedulable: 0/3 nodes are available: 3 Insuffic",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "no worker",
            "no worker in 20 s: Unschedulable: 0/3 nodes are available: 3 Insuffici",
            marks=pytest.mark.slow,
        ),
        ("forbidden", 'forbidden: User "system:serviceaccount:default:snakemake" (the service a'),
        ("no definition", "there are no DaskClusters here: install the Dask operator"),
        pytest.param(
            "no operator", "no pod was made; is the Dask operator running?", marks=pytest.mark.slow
        ),
        pytest.param("quota", f"FailedCreate: {QUOTA}", marks=pytest.mark.slow),
    ],
)
def test_a_start_that_fails_says_why_within_a_minute(
    project: Project, api: Start, mode: str, told: str
) -> None:
    prepare(project)
    stub = api(mode)
    began = time.monotonic()
    run = project.run(*arguments(), KUBECONFIG=str(stub.kubeconfig))
    assert run.code == 1
    assert told in run.text
    assert time.monotonic() - began < 60
    assert stub.objects.get("daskclusters", {}) == {}
    assert "Traceback" not in run.text


def test_an_api_that_does_not_answer(project: Project, api: Start) -> None:
    prepare(project)
    stub = api()
    stub.close()
    run = project.run(*arguments(), KUBECONFIG=str(stub.kubeconfig))
    assert run.code == 1
    assert "Kubernetes" in run.text
    assert "connect" in run.text.lower()


@pytest.mark.parametrize(
    "config, told",
    [
        ("kubernetes: {}", "kubernetes.yaml: has no section `kubernetes` with the key `image`"),
        ("kubernetes: {image: a, imge: b}", "kubernetes: there is no key imge; there are contai"),
        ("kubernetes: [", "kubernetes.yaml: can't be read: "),
        (
            "kubernetes: {image: a, pod: {tolerations: all}}",
            "spec.scheduler.spec.tolerations: 'all' is not of type 'array'",
        ),
    ],
)
def test_a_mistake_in_the_file_is_told_before_anything_is_made(
    project: Project, api: Start, config: str, told: str
) -> None:
    prepare(project, config)
    stub = api()
    run = project.run(*arguments(), KUBECONFIG=str(stub.kubeconfig))
    assert run.code == 1
    assert told in run.text
    assert "POST daskclusters" not in stub.calls


def test_ctrl_c_leaves_nothing(project: Project, api: Start) -> None:
    prepare(project, seconds=30)
    stub = api()
    started = project.start(*arguments(), KUBECONFIG=str(stub.kubeconfig))
    project.wait_for(lambda: len(stub.processes) == 2)
    project.wait_for(lambda: any(project.path.glob(".snakemake/dask/*/job-*")))
    main = project.main(started)
    main.send_signal(signal.SIGINT)
    time.sleep(1)
    main.send_signal(signal.SIGINT)
    assert project.finish(started).code != 0
    assert stub.objects["daskclusters"] == {}


@pytest.mark.slow
def test_what_a_killed_run_leaves_is_listed_and_deleted(project: Project, api: Start) -> None:
    prepare(project, seconds=30)
    stub = api()
    started = project.start(*arguments(), KUBECONFIG=str(stub.kubeconfig))
    project.wait_for(lambda: any(project.path.glob(".snakemake/dask/*/job-*")))
    project.main(started).kill()
    project.finish(started)
    [name] = stub.objects["daskclusters"]
    assert leftovers(stub).stdout == f"default/{name}, made 2020-01-01T00:00:00Z\n"
    assert leftovers(stub, "--delete", "other").returncode == 1
    assert name in stub.objects["daskclusters"]
    assert leftovers(stub, "--delete", name).stdout == f"default/{name}: deleted\n"
    assert stub.objects["daskclusters"] == {}
    assert leftovers(stub).stdout == ""
