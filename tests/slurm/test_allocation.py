"""The run, its scheduler and its workers inside one allocation."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time

import pytest
from conftest import ROOT, edit

from .conftest import Project, commands
from .daemons import Slurm, run, wait_for
from .launch import PYTHON, set_up
from .listening import check_listening

pytestmark = pytest.mark.slurm


def submit(
    project: Project, *options: str, script: str = "myria/run.sh", arguments: str = ""
) -> str:
    """Submit a script of the profiles', for the project's workflow."""
    for name in ("myria", "local", "mpi"):
        shutil.copytree(ROOT / "profiles" / name, project.path / name, dirs_exist_ok=True)
        config = project.path / name / "config.yaml"
        text = re.sub("(dask-preload|logger): .*", "", config.read_text()).replace("profiles/", "")
        config.write_text(text + "scheduler: dask\n")
    edit(project.path / "mpi/run.sh", "interface=ib0", "interface=lo")
    edit(project.path / "mpi/run.sh", "--nthreads 28", "--nthreads 2")
    set_up(project.path)
    command = ["sbatch", "--parsable", f"--chdir={project.path}", *options]
    return run(*command, str(project.path / script), *arguments.split()).strip()


def output(project: Project, job: str) -> str:
    wait_for(lambda: not run("squeue", "-h", "-n", "deriv-ops").strip(), "the end", 600)
    return (project.path / f"logs/slurm-{job}.out").read_text()


def test_next_submission_resumes(project: Project, slurm: Slurm):
    # Slurm may signal up to a minute earlier than asked for.
    options = ("--cpus-per-task=2", "--mem=2G")
    arguments = "--config count=500 seconds=1"
    cut = ("--time=00:03:00", "--signal=B:TERM@90")
    first = submit(project, *options, *cut, arguments=arguments)
    second = submit(project, *options, "--time=00:10:00", arguments=arguments)
    printed = output(project, second)
    assert "Withdrew" in output(project, first)
    # What had been finished was not begun again, and nothing was cut in the middle.
    project.check(500)
    missing = re.search(r"^one +(\d+)", printed, re.M)
    assert missing and 0 < int(missing[1]) < 500, printed


def test_worker_and_scheduler_are_replaced(project: Project, slurm: Slurm):
    options = ("--cpus-per-task=2", "--mem=2G")
    job = submit(project, *options, arguments="--config count=200")
    wait_for(lambda: len(project.notes("end")) > 20, "jobs")
    steps = run("squeue", "-h", "-s", "-j", job, "-o", "%i").split()
    run("scancel", "--signal=KILL", next(step for step in steps if step.rsplit(".")[1].isdigit()))
    said = project.path / f"logs/slurm-{job}.out"
    wait_for(lambda: "starting another" in said.read_text(), "another worker")
    before = len(project.notes("end"))
    wait_for(lambda: len(project.notes("end")) > before + 10, "more jobs")
    [scheduler] = commands("clusters.node scheduler", project)
    scheduler.kill()
    printed = output(project, job)
    assert "The Dask scheduler was lost" in printed
    project.check(200, lost=2 + 4)


@pytest.mark.parametrize(
    "script", [pytest.param("myria/run.sh", marks=pytest.mark.thorough), "mpi/run.sh"]
)
def test_next_submission_resumes_after_a_cancelled_one(project: Project, slurm: Slurm, script: str):
    options = ("--cpus-per-task=2", "--mem=2G")
    arguments = "--config count=200 seconds=0.5"
    job = submit(project, *options, script=script, arguments=arguments)
    wait_for(lambda: len(project.notes("end")) > 20, "jobs")
    run("scancel", job)
    wait_for(lambda: not slurm.jobs(), "the end of all jobs")
    ended = len(project.notes("end"))
    printed = output(project, submit(project, *options, script=script, arguments=arguments))
    missing = re.search(r"^one +(\d+)", printed, re.M)
    # What had ended isn't done again, but for what Snakemake had not heard of yet.
    assert missing and 0 < int(missing[1]) <= 200 - ended + 8, printed
    project.check(200, lost=12)


@pytest.mark.thorough
def test_next_submission_resumes_after_a_failed_node(project: Project, slurm: Slurm):
    options = ("--cpus-per-task=2", "--mem=2G")
    arguments = "--config count=200 seconds=0.5"
    job = submit(project, *options, arguments=arguments)
    wait_for(lambda: len(project.notes("end")) > 20, "jobs")
    show = run("scontrol", "show", "job", job)
    [first] = re.findall(r"BatchHost=(\S+)", show)
    [node] = {"my001", "my002", "my003", "my004"} & set(
        run("scontrol", "show", "hostnames", re.findall(r" NodeList=(\S+)", show)[0]).split()
    ) - {first}
    slurm.stop_node(node)
    try:
        wait_for(lambda: not slurm.jobs(), "the end of the job", 60)
        assert len(project.notes("end")) < 200
        printed = output(project, submit(project, *options, arguments=arguments))
        # What had ended isn't done again.
        missing = re.search(r"^one +(\d+)", printed, re.M)
        assert missing and 0 < int(missing[1]) < 200 - 20, printed
        # Two on the failed node, two on the other, and two that followed those before the end.
        project.check(200, lost=6)
    finally:
        slurm.start_node(node)
        wait_for(lambda: slurm.states() == ["idle"] * 4, "the nodes")


def test_listens_at_one_address_with_tls_only(project: Project, slurm: Slurm):
    job = submit(project, "--cpus-per-task=2", "--mem=2G", arguments="--config count=30 seconds=1")
    wait_for(lambda: project.notes("start"), "jobs")
    # The scheduler and two workers, each with a server of no pages.
    assert len(check_listening(project.path)) >= 6
    output(project, job)
    project.check(30)


def test_run_that_is_at_work_keeps_its_lock(project: Project, slurm: Slurm):
    process = project.start()
    wait_for(lambda: project.notes("start"), "jobs")
    printed = output(project, submit(project, "--cpus-per-task=2", "--mem=2G"))
    # It is that of Snakemake itself, by which the note is known.
    main = project.main(process)
    assert f"is locked by process {main.pid} on {socket.gethostname()}, " in printed
    assert process.wait() == 0, project.printed
    project.check(100)


@pytest.mark.parametrize("age", [0, 10])
def test_lock_of_a_run_on_another_machine(project: Project, slurm: Slurm, age: int):
    folder = project.path / ".snakemake"
    (folder / "dask/run").mkdir(parents=True)
    (folder / "locks").mkdir()
    lock, note = folder / "locks/0.output.lock", folder / "dask/run/owner.json"
    lock.write_text("out/0.txt")

    def unlock(job: str | None) -> subprocess.CompletedProcess[str]:
        owner = {"host": "elsewhere", "pid": 1, "start_time": 1, "job": job}
        note.write_text(json.dumps(owner))
        os.utime(note, (time.time() - age,) * 2)
        command = [*PYTHON, "snakemake_executor_plugin_dask.owner"]
        return subprocess.run(command, cwd=project.path, capture_output=True, text=True)

    job = run("sbatch", "--parsable", "--output=/dev/null", "--wrap", "sleep 100").strip()
    outside, inside = unlock(None), unlock(job)
    run("scancel", job)
    wait_for(lambda: not slurm.jobs(), "the end of the job")
    done = unlock(job)
    assert outside.returncode == inside.returncode == 1
    if age:
        # What is noted is older than the lock, and so of another run.
        assert "locked by a run that has not said who it is" in done.stderr
        assert done.returncode == 1 and lock.exists()
    else:
        assert "locked by process 1 on elsewhere, which may" in outside.stderr
        assert f"locked by process 1 on elsewhere, Slurm job {job}, which may" in inside.stderr
        assert done.returncode == 0 and not lock.exists(), done.stderr


def test_interface_that_is_not_there(project: Project, slurm: Slurm):
    project.configure(interface="ib7")
    (project.path / "jobqueue.yaml").rename(project.path / "chosen.yaml")
    job = submit(project, "--cpus-per-task=2", "--mem=2G", arguments="--dask-config chosen.yaml")
    assert re.search(r"srun \(.*chosen.yaml\): 'ib7' is not a valid", output(project, job))
    assert not project.notes("start")


def test_outside_of_an_allocation(project: Project):
    assert project.run("--dask-cluster=srun") == 1
    assert "this is not in a Slurm allocation" in project.printed
