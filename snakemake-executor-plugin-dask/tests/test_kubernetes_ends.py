"""Workers in pods, against a stub of the API: whatever ends a run leaves no cluster behind."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest
from conftest import Project

pytest.importorskip("dask_kubernetes")

from kubernetes_runs import Start, api, arguments, leftovers, prepare

__all__ = ["api"]


@pytest.mark.slow
def test_ctrl_c_leaves_nothing(project: Project, api: Start) -> None:
    prepare(project, seconds=30)
    stub = api()
    started = project.start(*arguments(), KUBECONFIG=str(stub.kubeconfig))
    project.wait_for(lambda: any(project.path.glob(".snakemake/dask/*/job-*")))
    main = project.main(started)
    main.send_signal(signal.SIGINT)
    time.sleep(1)
    main.send_signal(signal.SIGINT)
    assert project.finish(started).code != 0
    assert stub.objects["daskclusters"] == {}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("mode, call", [("slow creation", "slow POST"), ("no node", "GET pods")])
def test_a_start_that_is_interrupted_leaves_nothing(
    project: Project, api: Start, mode: str, call: str, number: int
) -> None:
    prepare(project)
    stub = api(mode)
    started = project.start(*arguments(), KUBECONFIG=str(stub.kubeconfig))
    project.wait_for(lambda: call in stub.calls)
    time.sleep(0.5)
    project.main(started).send_signal(number)
    run = project.finish(started)
    assert run.code != 0
    time.sleep(1)
    assert stub.objects["daskclusters"] == {}, run.text
    assert "POST daskclusters" in stub.calls
    assert "DELETE daskclusters" in stub.calls


@pytest.mark.slow
def test_sigterm_lets_jobs_finish_and_leaves_nothing(project: Project, api: Start) -> None:
    prepare(project, seconds=3)
    stub = api()
    started = project.start(*arguments(), KUBECONFIG=str(stub.kubeconfig))
    project.wait_for(lambda: any(project.path.glob(".snakemake/dask/*/job-*")))
    time.sleep(1)
    project.main(started).send_signal(signal.SIGTERM)
    run = project.finish(started)
    assert 1 <= len(project.outputs()) - 3 < 6, run.text
    assert stub.objects["daskclusters"] == {}


@pytest.mark.slow
def test_what_a_killed_run_leaves_is_listed_and_deleted(project: Project, api: Start) -> None:
    prepare(project, seconds=30)
    stub = api()
    more = ("--dask-workers", "1:2")
    started = project.start(*arguments(*more), KUBECONFIG=str(stub.kubeconfig))
    project.wait_for(lambda: any(project.path.glob(".snakemake/dask/*/job-*")))
    project.main(started).kill()
    project.finish(started)
    [name] = stub.objects["daskclusters"]
    # The operator's to delete, should nobody look for it.
    assert stub.objects["daskclusters"][name]["spec"]["idleTimeout"] == 3600
    assert leftovers(stub.kubeconfig).stdout == f"default/{name}, made 2020-01-01T00:00:00Z\n"
    assert leftovers(stub.kubeconfig, "--delete", "other").returncode == 1
    assert name in stub.objects["daskclusters"]
    deleted = leftovers(stub.kubeconfig, "--delete", name)
    assert deleted.stdout == f"default/{name}: deleted\n"
    assert stub.objects["daskclusters"] == stub.objects["daskautoscalers"] == {}
    assert leftovers(stub.kubeconfig).stdout == ""


@pytest.mark.slow
def test_a_deletion_that_is_refused_fails_the_run_and_says_where_to_look(
    project: Project, api: Start
) -> None:
    prepare(project)
    with (project.path / "kubernetes.yaml").open("a") as file:
        file.write("  namespace: default\n")
    stub = api("no deletion")
    run = project.run(*arguments(), KUBECONFIG=str(stub.kubeconfig))
    assert run.code == 1
    assert "not deleted: daskclusters.kubernetes.dask.org is forbidden" in run.text
    assert "clusters.leftovers --namespace default" in run.text
    assert len(project.outputs()) == 6 + 3
    [name] = stub.objects["daskclusters"]
    refused = leftovers(stub.kubeconfig, "--delete", name)
    assert refused.returncode == 1
    assert "Kubernetes: daskclusters.kubernetes.dask.org is forbidden" in refused.stderr


def test_leftovers_of_an_api_that_does_not_answer(api: Start) -> None:
    stub = api()
    stub.close()
    asked = leftovers(stub.kubeconfig)
    assert asked.returncode == 1
    assert asked.stderr.startswith("Kubernetes")
    assert "Traceback" not in asked.stderr


def test_within_the_cluster_the_own_pod_takes_the_cluster_along(
    api: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from snakemake_executor_plugin_dask.clusters import kubernetes_api

    stub = api()
    monkeypatch.setenv("KUBECONFIG", str(stub.kubeconfig))
    monkeypatch.setattr(kubernetes_api.socket, "gethostname", lambda: "snakemake-x7")
    assert asyncio.run(kubernetes_api.owners("default")) == []
    file = tmp_path / "namespace"
    file.write_text("default")
    monkeypatch.setattr(kubernetes_api, "OWN_NAMESPACE", file)
    assert asyncio.run(kubernetes_api.owners("default")) == []
    metadata = {"name": "snakemake-x7", "namespace": "default", "uid": "1-2-3"}
    stub.objects["pods"] = {"snakemake-x7": {"metadata": metadata}}
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "snakemake-x7", "uid": "1-2-3"}
    assert asyncio.run(kubernetes_api.owners("default")) == [owner]
    # Kubernetes knows no owners in other namespaces.
    assert asyncio.run(kubernetes_api.owners("other")) == []
