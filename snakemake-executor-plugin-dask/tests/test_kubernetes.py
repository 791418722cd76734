"""Workers in pods, against a stub of the API: starts, and what happens while they run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import Project

pytest.importorskip("dask_kubernetes")

from kubernetes_api import QUOTA
from kubernetes_runs import Start, api, arguments, prepare

__all__ = ["api"]


@pytest.mark.parametrize(
    "balancer",
    [False, pytest.param(True, marks=pytest.mark.slow)],
    ids=["port forwarding", "load balancer"],
)
def test_jobs_run_in_pods_that_are_gone_afterwards(
    project: Project, api: Start, balancer: bool
) -> None:
    prepare(project, balancer=balancer)
    stub = api()
    run = project.run(*arguments("--dask-workers", "2"), KUBECONFIG=str(stub.kubeconfig))
    assert run.code == 0, run.text + stub.log.read_text()
    assert "2 workers" in run.text
    assert [project.read(f"{i}.txt") for i in range(6)] == ["quant"] * 6
    assert ("GET pods/portforward" in stub.calls) == (not balancer)
    assert "POST daskautoscalers" not in stub.calls
    assert stub.objects["daskclusters"] == {}
    assert not stub.operator.pods
    assert "not-for-any-log" not in run.text


@pytest.mark.slow
def test_as_many_workers_as_the_work_can_use_and_one_in_the_end(
    project: Project, api: Start
) -> None:
    prepare(project, seconds=3)
    project.write("last.smk", WORKFLOW_WITH_A_LAST)
    project.write("last.py", "import time; time.sleep(6); open(snakemake.output[0], 'w')")
    stub = api()
    more = ("--dask-workers", "1:3", "--snakefile", "last.smk")
    started = project.start(*arguments(*more), KUBECONFIG=str(stub.kubeconfig))
    project.wait_for(lambda: len(stub.operator.workers()) == 3)
    project.wait_for(lambda: len(stub.operator.workers()) == 1)
    run = project.finish(started)
    assert run.code == 0, run.text + stub.log.read_text()
    assert "1 to 3 workers" in run.text
    assert stub.operator.most == 3
    assert stub.objects["daskautoscalers"] == stub.objects["daskclusters"] == {}


WORKFLOW_WITH_A_LAST = """
rule last:
    input: expand("{i}.txt", i=range(6))
    output: "last.txt"
    script: "last.py"
rule one:
    output: "{i}.txt"
    script: "one.py"
"""


@pytest.mark.parametrize(
    "mode, told",
    [
        pytest.param(
            "no image",
            'ImagePullBackOff: Back-off pulling image "no/such:image" (image no/such',
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "crash loop",
            "CrashLoopBackOff: back-off 10s restarting (Error: exit code 127 of scheduler, no dask",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "no node",
            "no scheduler in 15 s: Unschedulable: 0/3 nodes are available: 3 Insuffic",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "no worker",
            "no worker in 15 s: Unschedulable: 0/3 nodes are available: 3 Insuffici",
            marks=pytest.mark.slow,
        ),
        # Which is there after 7 seconds; the workers have what is left.
        pytest.param("slow scheduler", "no worker in 15 s: Unschedul", marks=pytest.mark.thorough),
        pytest.param(
            "dead worker",
            "no worker in 15 s: its pods run, but none has come to the scheduler; see kubectl logs",
            marks=pytest.mark.thorough,
        ),
        ("forbidden", 'forbidden: User "system:serviceaccount:default:snakemake" (the service a'),
        pytest.param(
            "no forwarding",
            "pods/portforward is refused: HTTP 403 (the service account, or whoever",
            marks=pytest.mark.thorough,
        ),
        pytest.param(
            "no definition",
            "there are no DaskClusters here: install the Dask operator",
            marks=pytest.mark.thorough,
        ),
        pytest.param(
            "no operator",
            "no pod was made; is the Dask operator running, and what does its log say?",
            marks=pytest.mark.thorough,
        ),
        pytest.param("quota", f"FailedCreate: {QUOTA}", marks=pytest.mark.thorough),
    ],
)
def test_a_start_that_fails_says_why_in_time(
    project: Project, api: Start, mode: str, told: str
) -> None:
    prepare(project, timeout=15)
    stub = api(mode)
    run = project.run(*arguments(), KUBECONFIG=str(stub.kubeconfig))
    assert run.code == 1
    assert told in run.text
    assert "not deleted" not in run.text
    if mode not in ("forbidden", "no definition"):
        took = stub.first["DELETE daskclusters"] - stub.first["POST daskclusters"]
        assert took < 15 + 10
    assert stub.objects.get("daskclusters", {}) == {}
    assert "Traceback" not in run.text


@pytest.mark.slow
def test_a_service_that_gets_no_address(project: Project, api: Start) -> None:
    prepare(project, timeout=6, balancer=True)
    stub = api("no address")
    run = project.run(*arguments(), KUBECONFIG=str(stub.kubeconfig))
    assert run.code == 1
    assert "no address of the scheduler in 6 s" in run.text
    assert stub.objects["daskclusters"] == {}


def test_an_api_that_does_not_answer(project: Project, api: Start) -> None:
    prepare(project)
    stub = api()
    stub.close()
    run = project.run(*arguments(), KUBECONFIG=str(stub.kubeconfig))
    assert run.code == 1
    assert "Kubernetes" in run.text
    assert "connect" in run.text.lower()


@pytest.mark.slow
def test_workers_that_find_no_node_are_told_of_while_others_work(
    project: Project, api: Start
) -> None:
    prepare(project, seconds=0.5)
    stub = api("one node")
    run = project.run(*arguments("--dask-workers", "3"), KUBECONFIG=str(stub.kubeconfig))
    assert run.code == 0, run.text
    assert run.text.count("2 of 3 workers' pods: Unschedulable: 0/3 nodes are available") == 1


@pytest.mark.slow
def test_a_worker_that_is_killed_is_replaced_and_told_of(project: Project, api: Start) -> None:
    prepare(project, seconds=3)
    stub = api()
    started = project.start(*arguments("--dask-workers", "2"), KUBECONFIG=str(stub.kubeconfig))
    project.wait_for(lambda: any(project.path.glob(".snakemake/dask/*/job-*")))
    stub.operator.pods[stub.operator.workers()[0]].end()
    run = project.finish(started)
    assert run.code == 0, run.text
    assert "1 of 2 workers' pods: Error: exit code 247 of dask" in run.text
    assert len(project.outputs()) == 6 + 3


@pytest.mark.slow
@pytest.mark.parametrize("what", ["scheduler", "all objects"])
def test_a_scheduler_that_is_lost_is_found_again(
    project: Project, api: Start, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It takes a start, the time to notice, and another start.
    monkeypatch.setattr("conftest.TIMEOUT", 240)
    prepare(project, seconds=2)
    stub = api()
    started = project.start(*arguments(), KUBECONFIG=str(stub.kubeconfig))
    project.wait_for(lambda: project.exists("0.txt") or project.exists("1.txt"))
    [name] = stub.objects["daskclusters"]
    if what == "scheduler":
        stub.operator.pods[f"{name}-scheduler"].end()
    else:
        stub.change("DELETE", "daskclusters", name, None, {})
    run = project.finish(started)
    assert run.code == 0, run.text + stub.log.read_text()
    assert "The Dask scheduler was lost." in run.text
    assert [project.read(f"{i}.txt") for i in range(6)] == ["quant"] * 6
    assert stub.objects["daskclusters"] == {}


@pytest.mark.slow
def test_a_volume_is_all_that_pods_share_with_the_main_process(
    project: Project, api: Start, tmp_path: Path
) -> None:
    """The volume is the project's folder; the cache of the main process is its own."""
    cache = tmp_path / "cache"
    cache.mkdir()
    hide = ["unshare", "--mount", *(() if os.geteuid() == 0 else ("--user", "--map-root-user"))]
    hide += ["sh", "-c", 'mount -t tmpfs hidden "$0" && exec "$@"', str(cache)]
    if subprocess.run([*hide, "true"], check=False).returncode:
        pytest.skip("a process can't be given a view of its own of the files here")
    prepare(project)
    stub = api()
    stub.operator.prefix = hide
    run = project.run(*arguments(), KUBECONFIG=str(stub.kubeconfig), XDG_CACHE_HOME=str(cache))
    assert run.code == 0, run.text
    assert any(cache.iterdir())
    assert [project.read(f"{i}.txt") for i in range(6)] == ["quant"] * 6


@pytest.mark.slow
def test_a_job_that_fails_is_told_with_its_reason(project: Project, api: Start) -> None:
    prepare(project)
    project.write("one.py", "raise ValueError('no good ' + snakemake.output[0])")
    stub = api()
    run = project.run(*arguments(), KUBECONFIG=str(stub.kubeconfig))
    assert run.code == 1
    assert "ValueError: no good " in run.text
    assert stub.objects["daskclusters"] == {}


def pod(**status: Any) -> dict[str, Any]:
    return {"status": status}


def container(name: str = "worker", **states: Any) -> dict[str, Any]:
    return {"name": name, "image": "an/image:1", **states}


WAITS = {"waiting": {"reason": "PodInitializing"}}
NOT_PULLED = {"waiting": {"reason": "ErrImagePull", "message": "no such"}}
KILLED = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}


@pytest.mark.parametrize(
    "there, told",
    [
        (pod(phase="Pending", containerStatuses=[container(state=WAITS)]), None),
        (
            pod(
                initContainerStatuses=[container("init", state=NOT_PULLED)],
                containerStatuses=[container(state=WAITS)],
            ),
            (True, "ErrImagePull: no such (image an/image:1)"),
        ),
        (
            pod(containerStatuses=[container(state={"running": {}}, lastState=KILLED)]),
            (False, "OOMKilled: exit code 137 of worker"),
        ),
        (
            pod(initContainerStatuses=[container("init", state=KILLED)]),
            (False, "OOMKilled: exit code 137 of init"),
        ),
        (
            pod(phase="Failed", reason="Evicted", message="The node was low on memory."),
            (False, "Evicted: The node was low on memory."),
        ),
        (
            pod(
                initContainerStatuses=[
                    container("init", state={"terminated": {"reason": "Completed", "exitCode": 0}})
                ]
            ),
            None,
        ),
        (
            pod(
                containerStatuses=[
                    container(
                        state={
                            "waiting": {
                                "reason": "CreateContainerConfigError",
                                "message": 'secret "x" not found',
                            }
                        }
                    )
                ]
            ),
            (True, 'CreateContainerConfigError: secret "x" not found'),
        ),
    ],
)
def test_what_is_wrong_with_a_pod(there: dict[str, Any], told: tuple[bool, str] | None) -> None:
    from snakemake_executor_plugin_dask.clusters.kubernetes_pods import obstacle

    assert obstacle(there) == told
