"""Workers in Slurm jobs: the files are the same, what is lost is replaced, nothing is left."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import time
from pathlib import Path

import psutil
import pytest

from .conftest import Project
from .daemons import Slurm, run, wait_for

pytestmark = pytest.mark.slurm

# Slurm may have a reason for each job.
FULL = re.compile(r"Slurm: 2 jobs asked for, 0 running, .* waiting \(")


def test_cancelled_job_is_replaced(project: Project, slurm: Slurm):
    process = project.start()
    wait_for(lambda: len(project.notes("end")) > 20, "jobs")
    victim = slurm.jobs()[0]
    run("scancel", victim)
    assert process.wait() == 0, project.printed
    # Two threads: two jobs at most were lost.
    project.check(100, lost=2)
    assert f"Slurm job {victim}" in project.printed and "was lost (CANCELLED)" in project.printed
    assert "Slurm: 2 jobs asked for" in project.printed
    assert not slurm.jobs()


def test_all_jobs_cancelled_at_once(project: Project, slurm: Slurm):
    process = project.start()
    wait_for(lambda: len(project.notes("end")) > 20, "jobs")
    run("scancel", *slurm.jobs())
    assert process.wait() == 0, project.printed
    project.check(100, lost=4)


def test_node_that_fails(project: Project, slurm: Slurm):
    process = project.start("--config", "count=200")
    wait_for(lambda: len(project.notes("end")) > 20, "jobs")
    node = run("squeue", "-h", "-o", "%N").split()[0]
    slurm.stop_node(node)
    try:
        assert process.wait() == 0, project.printed
        project.check(200, lost=2)
    finally:
        slurm.start_node(node)
        wait_for(lambda: slurm.states() == ["idle"] * 4, "the nodes")


def test_scheduler_killed(project: Project, slurm: Slurm):
    process = project.start()
    wait_for(lambda: len(project.notes("end")) > 20, "jobs")
    [scheduler] = [
        child
        for child in project.main(process).children()
        if "clusters.slurm.process" in " ".join(child.cmdline())
    ]
    scheduler.kill()
    assert process.wait() == 0, project.printed
    assert "scheduler was lost" in project.printed
    project.check(100, lost=4)
    assert not slurm.jobs()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_job_is_left(project: Project, slurm: Slurm, number: signal.Signals):
    # More than there is room for, so that some wait.
    project.configure(cores=28)
    process = project.start("--config", "seconds=2", "count=1000", workers="5")
    wait_for(lambda: len(project.notes("end")) > 20, "jobs")
    assert len(slurm.jobs()) == 5 and len(slurm.jobs("--states=PENDING")) == 1
    main = project.main(process)
    main.send_signal(number)
    wait_for(lambda: not slurm.jobs(), "the end of all jobs", 30)
    assert process.wait() != 0
    wait_for(lambda: not _commands("dask_worker", project), "the end of all workers", 20)


def test_no_job_outlives_the_process_that_would_cancel_it(project: Project, slurm: Slurm):
    project.configure(cores=28, death_timeout=20)
    for _ in range(3):
        run("sbatch", "--exclusive", "--output=/dev/null", "--wrap", "sleep 30")
    process = project.start("--config", "seconds=1", "count=1000")
    wait_for(lambda: project.notes("start"), "jobs")
    assert len(slurm.jobs("--states=PENDING")) == 1
    main = project.main(process)
    for dead in [*main.children(), main]:
        dead.kill()
    # Those that waited end when they have begun, and find nobody.
    wait_for(lambda: not slurm.jobs(), "the end of all jobs", 90)
    assert process.wait() != 0


def test_full_queue_is_waited_for(project: Project, slurm: Slurm):
    for _ in range(4):
        run("sbatch", "--exclusive", "--output=/dev/null", "--wrap", "sleep 60")
    wait_for(lambda: len(slurm.jobs("--states=RUNNING")) == 4, "a full cluster")
    began = time.monotonic()
    assert project.run("--config", "count=20") == 0, project.printed
    assert time.monotonic() - began > 50
    assert FULL.search(project.printed), project.printed
    project.check(20)


def test_waiting_that_nothing_would_end_ends_the_run(project: Project, slurm: Slurm):
    for _ in range(4):
        run("sbatch", "--exclusive", "--output=/dev/null", "--wrap", "sleep 300")
    wait_for(lambda: len(slurm.jobs("--states=RUNNING")) == 4, "a full cluster")
    process = project.start("--config", "count=20")
    try:
        wait_for(lambda: FULL.search(project.printed), "a full queue")
        # Less than what the jobs ask for.
        run("scontrol", "update", "partitionname=tcourt_intra", "maxtime=00:10:00")
        assert process.wait() == 1
    finally:
        run("scontrol", "update", "partitionname=tcourt_intra", "maxtime=1-00:00:00")
        run("scancel", *slurm.jobs())
    assert "Slurm will never start job" in project.printed, project.printed
    assert ": PartitionTimeLimit" in project.printed
    assert "Requested time limit is invalid" in project.printed
    assert not project.notes("start")


def test_jobs_ask_for_what_is_configured(project: Project, slurm: Slurm, tmp_path: Path):
    project.configure(
        account="myria",
        interface="lo",
        local_directory=str(tmp_path / "scratch"),
        walltime="00:30:00",
        job_extra_directives=["--qos=normal", "--constraint=broadwell"],
        job_script_prologue=["export FROM_PROLOGUE=yes"],
    )
    process = project.start("--config", "count=20", "seconds=1")
    wait_for(lambda: project.notes("start"), "jobs")
    shown = run("scontrol", "show", "job", slurm.jobs()[0])
    for wish in ("Account=myria", "QOS=normal", "Features=broadwell", "TimeLimit=00:30:00"):
        assert wish in shown
    workers = _commands("dask_worker", project)
    assert workers and all(one.environ()["FROM_PROLOGUE"] == "yes" for one in workers)
    assert list((tmp_path / "scratch").iterdir())
    assert process.wait() == 0, project.printed


def test_as_many_jobs_as_the_work_needs(project: Project, slurm: Slurm):
    options = ("count=60", "seconds=1", "longest=85")
    process = project.start("--config", *options, workers="0:4")
    wait_for(lambda: len(slurm.jobs()) == 4, "four jobs")
    # What has been idle for a minute is given back, and what is at work is not.
    wait_for(lambda: len(slurm.jobs()) == 1, "the end of idle jobs", 100)
    assert len(project.notes("end")) == 59
    assert process.wait() == 0, project.printed
    project.check(60)
    # One job at a time, whatever there could be.
    project.path.joinpath("notes").unlink()
    process = project.start("--forceall", "--config", "count=1", "seconds=8", workers="0:4")
    wait_for(lambda: project.notes("start"), "the job")
    assert len(slurm.jobs()) == 1
    assert process.wait() == 0, project.printed


def test_job_at_its_time_limit_is_replaced(project: Project, slurm: Slurm):
    project.configure(walltime="00:02:00")
    assert project.run("--config", "count=600", "seconds=1") == 0, project.printed
    assert "replaced" in project.printed
    assert "was lost" not in project.printed
    project.check(600, lost=4)
    assert not slurm.jobs()


def test_listens_at_one_address_with_tls_only(project: Project, slurm: Slurm):
    process = project.start("--config", "seconds=1", "count=30")
    wait_for(lambda: project.notes("start"), "jobs")
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for one in _commands("dask_worker", project) + _commands("clusters.slurm", project)
        for connection in one.net_connections()
        if connection.status == "LISTEN"
    }
    assert {ip for ip, _ in listening} == {"127.0.0.1"}
    for address in listening:
        with socket.create_connection(address, timeout=5) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            try:
                answer = connection.makefile("rb").read()
            except ConnectionResetError:
                continue
        # Nothing, an alert of TLS (21), or a page that isn't there.
        assert not answer or answer[0] == 21 or b" 404 " in answer, answer
    assert process.wait() == 0, project.printed


def _commands(text: str, project: Project) -> list[psutil.Process]:
    """The processes of a run with this in their command line."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if text in " ".join(process.cmdline()) and process.cwd() == str(project.path):
                found.append(process)
    return found
