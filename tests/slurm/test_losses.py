"""What is lost is replaced, and nothing is left when a run has ended."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import Project, commands
from .daemons import Slurm, run, wait_for
from .launch import PYTHON

pytestmark = pytest.mark.slurm


@pytest.mark.parametrize("processes", [pytest.param(1, marks=pytest.mark.thorough), 2])
def test_cancelled_job_is_replaced(project: Project, slurm: Slurm, processes: int):
    project.configure(processes=processes)
    process = project.start("--config", "count=200")
    wait_for(lambda: len(project.notes("end")) > 20, "jobs")
    victim = slurm.jobs()[0]
    run("scancel", victim)
    assert process.wait() == 0, project.printed
    # Two threads: two jobs at most were lost.
    project.check(200, lost=2)
    # The other words are for one whose workers weren't there yet, as on a busy machine.
    told = (
        rf"Slurm job {victim}.* (was lost \(CANCELLED\)|has ended \(CANCELLED\) without a worker)"
    )
    assert re.search(told, project.printed), project.printed
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


def test_node_that_hangs(project: Project, slurm: Slurm):
    began = time.monotonic()
    process = project.start("--config", "count=200")
    wait_for(lambda: len(project.notes("end")) > 20, "jobs")
    node = run("squeue", "-h", "-o", "%N").split()[0]
    slurm.hang_node(node)
    try:
        # Long before Dask itself would give up a worker that says nothing.
        assert process.wait() == 0, project.printed
        assert time.monotonic() - began < 150
        assert "was lost (NODE_FAIL)" in project.printed
        project.check(200, lost=2)
    finally:
        slurm.stop_node(node)
        slurm.start_node(node)
        wait_for(lambda: slurm.states() == ["idle"] * 4, "the nodes")


def test_nodes_on_which_jobs_fail_are_left_out(project: Project, slurm: Slurm):
    project.configure(job_script_prologue=['[ "$SLURMD_NODENAME" = my003 ] || exit 3'])
    assert project.run("--config", "count=200", "seconds=1") == 0, project.printed
    failed = re.findall(r"on (my\d+) has ended \(FAILED\) without", project.printed)
    # After three in a row there is a pause, and then another that has only one node to go to.
    assert sorted(failed) == ["my001", "my002", "my004"]
    last = project.printed.rpartition("without a worker")[2]
    assert "Slurm: 2 jobs asked for, 2 running" in last, project.printed
    assert project.nodes() == {"my003"}
    project.check(200)


def test_slurm_that_is_busy_for_a_while(project: Project, slurm: Slurm, tmp_path: Path):
    process = project.start("--config", "count=200", workers="1", PATH=busy(tmp_path))
    wait_for(lambda: len(project.notes("end")) > 20, "jobs")
    (tmp_path / "busy").touch()
    [job] = slurm.jobs()
    run("scancel", job)
    wait_for(lambda: "busy for another job: sbatch: Socket timed out" in project.printed, "sbatch")
    # That job is there, which the run can't know; it ends it before it submits the next.
    [stray] = slurm.jobs()
    (tmp_path / "busy").unlink()
    wait_for(lambda: slurm.jobs() not in ([], [stray]), "another job")
    wait_for(lambda: len(slurm.jobs()) == 1, "the end of the other one")
    assert process.wait() == 0, project.printed
    project.check(200, lost=4)


def busy(folder: Path) -> str:
    """A search path with an sbatch that, for a while, submits once and says that it hasn't."""
    (folder / "sbatch").write_text(
        f"""#!/bin/sh
        [ -e {folder}/busy ] || exec {shutil.which("sbatch")} "$@"
        [ -s {folder}/busy ] || {shutil.which("sbatch")} "$@" > {folder}/busy
        echo "sbatch: Socket timed out on send/recv operation" >&2
        exit 1
        """
    )
    (folder / "sbatch").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_run_that_was_killed_is_resumed(project: Project, slurm: Slurm):
    process = project.start("--config", "count=200")
    wait_for(lambda: len(project.notes("end")) > 20, "jobs")
    project.main(process).kill()
    wait_for(lambda: not slurm.jobs(), "the end of all jobs", 30)
    begun = len(project.notes("start"))
    subprocess.run([*PYTHON, "snakemake_executor_plugin_dask.owner"], cwd=project.path, check=True)
    assert project.run("--rerun-incomplete", "--config", "count=200") == 0, project.printed
    missing = re.search(r"^one +(\d+)", project.printed, re.M)
    # What runs, on four threads, and what has ended and Snakemake has not heard of yet.
    assert missing and 0 < int(missing[1]) <= 200 - begun + 16, project.printed
    project.check(200, lost=16)


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


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.thorough), signal.SIGKILL],
)
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
    wait_for(lambda: not commands("dask_worker", project), "the end of all workers", 20)


def test_no_job_outlives_the_process_that_would_cancel_it(project: Project, slurm: Slurm):
    project.configure(cores=28, death_timeout=20)
    sleep = ("sbatch", "--parsable", "--exclusive", "--output=/dev/null", "--wrap", "sleep 900")
    others = [run(*sleep).strip() for _ in range(3)]
    process = project.start("--config", "seconds=1", "count=1000")
    wait_for(lambda: project.notes("start"), "jobs")
    assert len(slurm.jobs("--states=PENDING")) == 1
    main = project.main(process)
    for dead in [*main.children(), main]:
        dead.kill()
    run("scancel", *others)
    # Those that waited end when they have begun, and find nobody.
    wait_for(lambda: not slurm.jobs(), "the end of all jobs", 90)
    assert process.wait() != 0
