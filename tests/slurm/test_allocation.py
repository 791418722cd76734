"""The run, its scheduler and its workers inside one allocation."""

from __future__ import annotations

import re
import shutil

import pytest
from conftest import ROOT

from .conftest import Project
from .daemons import Slurm, run, wait_for

pytestmark = pytest.mark.slurm


def submit(project: Project, *options: str, arguments: str = "") -> str:
    """Submit the script of the profile, for the project's workflow."""
    shutil.copytree(ROOT / "profiles/myria", project.path / "myria", dirs_exist_ok=True)
    config = project.path / "myria/config.yaml"
    text = re.sub("(dask-preload|logger): .*", "", config.read_text()).replace("profiles/", "")
    config.write_text(text + "scheduler: greedy\n")
    (project.path / "logs").mkdir(exist_ok=True)
    command = ["sbatch", "--parsable", f"--chdir={project.path}", *options]
    return run(*command, str(project.path / "myria/run.sh"), *arguments.split()).strip()


def output(project: Project, job: str) -> str:
    wait_for(lambda: not run("squeue", "-h", "-n", "deriv-ops").strip(), "the end", 240)
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
    job = submit(project, *options, arguments="--config count=100")
    wait_for(lambda: len(project.notes("end")) > 20, "jobs")
    steps = run("squeue", "-h", "-s", "-j", job, "-o", "%i").split()
    run("scancel", "--signal=KILL", next(step for step in steps if step.rsplit(".")[1].isdigit()))
    printed = output(project, job)
    project.check(100, lost=2)
    assert "starting another" in printed


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


def test_outside_of_an_allocation(project: Project):
    assert project.run("--dask-cluster=srun") == 1
    assert "this is not in a Slurm allocation" in project.printed
