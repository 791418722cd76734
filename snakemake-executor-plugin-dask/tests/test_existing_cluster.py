"""A cluster that was there before the run, and that others use."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import psutil
import pytest
from conftest import DaskCluster, Project, gone

pytestmark = pytest.mark.slow

MANY = """
    rule all:
        input: expand("out/{i}.txt", i=range(60)), config.get("more", [])
    rule one:
        output: "out/{i}.txt"
        script: "one.py"
    rule special:
        output: "special.txt"
        resources: licence=1
        script: "one.py"
"""
ONE = """
    import os, time
    time.sleep(0.05)
    open(snakemake.output[0], "w").write(os.getcwd())
"""


def write_many(project: Project) -> None:
    project.write("Snakefile", MANY)
    project.write("one.py", ONE)


def done(project: Project) -> int:
    return len(list(project.path.glob("out/*.txt")))


@pytest.mark.parametrize("by_file", [pytest.param(False, marks=pytest.mark.thorough), True])
def test_worker_dies(project: Project, cluster: DaskCluster, by_file: bool) -> None:
    """Of two, of which the other offers a resource."""
    write_many(project)
    mortal = cluster.worker()
    special = cluster.worker("--resources", "licence=1")
    where = str(cluster.file) if by_file else cluster.address
    process = project.start("--dask-cluster", where, "--config", "more=special.txt")
    project.wait_for(lambda: done(project) > 10)
    mortal.kill()
    run = project.finish(process)
    assert run.code == 0, run.text
    assert f"cluster at {cluster.address}" in run.text
    assert done(project) == 60
    assert project.exists("special.txt")
    # It is left running.
    assert cluster.processes[0].poll() is None and special.poll() is None


def test_all_workers_die(project: Project, cluster: DaskCluster) -> None:
    """The run says that it waits for others, and does."""
    write_many(project)
    workers = [cluster.worker(), cluster.worker()]
    process = project.start("--dask-cluster", cluster.address)
    project.wait_for(lambda: done(project) > 10)
    for worker in workers:
        worker.kill()
        worker.wait()
    project.wait_for(lambda: "they wait for one to join" in process.stderr.read_text())
    cluster.worker()
    run = project.finish(process)
    assert run.code == 0, run.text
    assert done(project) == 60


def test_first_worker_is_waited_for(project: Project, cluster: DaskCluster) -> None:
    project.write("Snakefile", "rule one:\n    output: 'one.txt'\n    shell: 'touch {output}'\n")
    process = project.start("--dask-cluster", cluster.address)
    log = project.path / ".snakemake/log"
    project.wait_for(
        lambda: any("no worker yet" in file.read_text() for file in log.glob("*.snakemake.log"))
    )
    cluster.worker()
    assert project.finish(process).code == 0
    assert project.exists("one.txt")


def test_workers_that_come_after_the_run(project: Project, cluster: DaskCluster) -> None:
    """They are known to the scheduler before they have said what they offer."""
    write_many(project)
    process = project.start("--dask-cluster", cluster.address)
    time.sleep(3)
    assert process.poll() is None
    for _ in range(3):
        cluster.worker()
    run = project.finish(process)
    assert run.code == 0, run.text
    assert done(project) == 60


def test_scheduler_dies(project: Project, cluster: DaskCluster) -> None:
    """Nobody starts it again: the run ends, and the next one does the rest."""
    write_many(project)
    cluster.worker()
    process = project.start("--dask-cluster", cluster.address)
    project.wait_for(lambda: done(project) > 10)
    cluster.processes[0].kill()
    run = project.finish(process)
    assert run.code == 1
    assert "the Dask scheduler was lost" in run.text
    assert {path.read_text() for path in project.path.glob("out/*.txt")} == {str(project.path)}
    run = project.run("--rerun-triggers", "mtime")
    assert run.code == 0, run.text
    assert done(project) == 60


@pytest.fixture(params=["silent", "http"])
def stranger(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of something that is no scheduler."""
    if request.param == "silent":
        with socket.create_server(("127.0.0.1", 0)) as server:
            yield server.getsockname()[1]
    else:
        with HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield server.server_port
            server.shutdown()


@pytest.mark.parametrize("by_file", [pytest.param(False, marks=pytest.mark.thorough), True])
def test_what_answers_is_no_scheduler(project: Project, stranger: int, by_file: bool) -> None:
    """The port of one that has ended may be somebody else's by now."""
    write_many(project)
    address = f"tcp://127.0.0.1:{stranger}"
    project.write("scheduler.json", json.dumps({"address": address, "id": "Scheduler-1"}))
    run = project.run("--dask-cluster", "scheduler.json" if by_file else address)
    assert run.code == 1
    assert f"no Dask scheduler answers at {address}" in run.text, run.text
    assert ("remove the file" in run.text) == by_file
    assert "Traceback" not in run.text


def test_another_scheduler_has_the_port(project: Project, cluster: DaskCluster) -> None:
    write_many(project)
    project.write("old.json", json.dumps({"address": cluster.address, "id": "Scheduler-1"}))
    run = project.run("--dask-cluster", "old.json")
    assert run.code == 1
    assert f"at {cluster.address} is another scheduler now" in run.text, run.text


def test_keys_that_are_not_given(project: Project) -> None:
    write_many(project)
    run = project.run("--dask-cluster", "tls://127.0.0.1:8786")
    assert run.code == 1
    assert "DASK_CONFIG=" in run.text and "Traceback" not in run.text


def test_two_runs_at_once(project: Project, cluster: DaskCluster, tmp_path: Path) -> None:
    """Of workflows with jobs of the same numbers; one is interrupted, the other is not."""
    cluster.worker()
    cluster.worker()
    other = Project(tmp_path / "other", project.zygote)
    third = Project(tmp_path / "third", project.zygote)
    running = []
    for each in (project, other, third):
        write_many(each)
        running.append(each.start("--dask-cluster", cluster.address))
    try:
        project.wait_for(lambda: done(third) > 5)
        third.main(running[2]).send_signal(signal.SIGINT)
        for each, process in zip((project, other), running, strict=False):
            run = each.finish(process)
            assert run.code == 0, run.text
            texts = [path.read_text() for path in each.path.glob("out/*.txt")]
            assert texts == [str(each.path)] * 60
        assert third.finish(running[2]).code != 0
        assert done(third) < 60
    finally:
        other.close()
        third.close()


def test_nothing_of_a_run_is_left_on_its_workers(project: Project, cluster: DaskCluster) -> None:
    write_many(project)
    worker = cluster.worker()
    project.wait_for(lambda: psutil.Process(worker.pid).num_threads() > 1)
    for _ in range(2):
        process = project.start("--dask-cluster", cluster.address, "--forceall")
        project.wait_for(lambda: psutil.Process(worker.pid).children())
        servers = [child.pid for child in psutil.Process(worker.pid).children()]
        run = project.finish(process)
        assert run.code == 0, run.text
        assert gone(servers, 20)


def test_worker_is_retired(project: Project, cluster: DaskCluster) -> None:
    """At its walltime, as batch systems do it; its job runs again on another."""
    write_many(project)
    project.write("one.py", ONE.replace("0.05", "0.4"))
    mortal = cluster.worker("--lifetime", "8 seconds")
    cluster.worker()
    run = project.run("--dask-cluster", cluster.address, "--dask-lost-retries", "1")
    assert run.code == 0, run.text
    assert done(project) == 60
    assert mortal.wait(5) == 0


def test_worker_is_cut_off(project: Project, cluster: DaskCluster) -> None:
    """It ends its job by itself, before the job can run elsewhere, too."""
    project.write("Snakefile", "rule one:\n    output: 'one.txt'\n    script: 'one.py'\n")
    project.write(
        "one.py",
        """
        import os, time
        with open("starts", "a") as file:
            print(os.getpid(), file=file)
        while not os.path.exists("go"):
            time.sleep(0.05)
        open(snakemake.output[0], "w").write("whole")
        """,
    )
    cluster.worker()
    process = project.start("--dask-cluster", cluster.address)
    project.wait_for(lambda: project.exists("starts") and project.read("starts"))
    [first] = map(int, project.read("starts").split())
    scheduler = cluster.processes[0]
    scheduler.send_signal(signal.SIGSTOP)
    try:
        assert gone([first], 30)
    finally:
        scheduler.send_signal(signal.SIGCONT)
    project.write("go", "")
    cluster.worker()
    run = project.finish(process)
    assert run.code == 0, run.text
    assert len(project.read("starts").split()) == 2
    assert project.read("one.txt") == "whole"


def test_paths_are_seen_from_where_snakemake_was_started(
    project: Project, cluster: DaskCluster
) -> None:
    project.write("Snakefile", "rule one:\n    output: 'one.txt'\n    shell: 'touch {output}'\n")
    cluster.worker()
    options = ("--dask-cluster", "scheduler.json", "--dask-records", "records")
    run = project.run(*options, "--directory", "elsewhere")
    assert run.code == 0, run.text
    assert project.exists("elsewhere/one.txt")
    # What a run writes goes to where it runs.
    assert list((project.path / "elsewhere/records").iterdir())
