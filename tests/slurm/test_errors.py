"""What can't start says why, in Slurm's own words, and leaves nothing."""

from __future__ import annotations

import getpass
import re
from pathlib import Path

import pytest

from .conftest import Project
from .daemons import Slurm, run, wait_for

pytestmark = pytest.mark.slurm


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"queue": "nope"}, "invalid partition specified: nope"),
        ({"account": "nobody"}, "Invalid account or account/partition combination"),
        ({"queue": "closed"}, "Invalid account or account/partition combination"),
        ({"memory": "500GB"}, "Requested node configuration is not available"),
        ({"walltime": "99:00:00"}, "Requested time limit is invalid"),
        ({"job_extra_directives": ["--qos=gold"]}, "Invalid qos specification"),
        ({"job_extra_directives": ["--nonsense"]}, "unrecognized option '--nonsense'"),
        ({"cores": None}, "jobqueue.slurm.cores is missing"),
        ({"processes": 3}, "3 processes on 2 cores"),
        ({"memory": "lots"}, "memory"),
        ({"interface": "ib7"}, "ib7"),
    ],
)
def test_refused_at_the_start(project: Project, slurm: Slurm, values: dict[str, object], said: str):
    project.configure(**values)
    assert project.run() == 1
    assert said in project.printed
    assert "jobqueue.yaml" in project.printed
    assert "Traceback" not in project.printed
    assert not slurm.jobs() and not project.notes("start")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"queue": "nope"}, "invalid partition specified: nope"),
        ({"account": "nobody"}, "Invalid account or account/partition combination"),
        ({"memory": "500GB"}, "Requested node configuration is not available"),
    ],
)
def test_refused_before_the_first_job_is_needed(
    project: Project, slurm: Slurm, values: dict[str, object], said: str
):
    project.configure(**values)
    assert project.run(workers="0:2") == 1
    assert said in project.printed and "jobqueue.yaml" in project.printed
    assert "lost" not in project.printed and not slurm.jobs()


@pytest.mark.parametrize(("text", "said"), [("a: [", "jobqueue.yaml"), ("[1]", "mapping")])
def test_a_file_that_is_no_configuration(project: Project, text: str, said: str):
    (project.path / "jobqueue.yaml").write_text(text)
    assert project.run() == 1
    assert said in project.printed


def test_a_file_that_is_not_there(project: Project):
    (project.path / "jobqueue.yaml").unlink()
    assert project.run() == 1
    assert "jobqueue.yaml" in project.printed and "No such file" in project.printed


@pytest.mark.parametrize("workers", ["0", "many", "3:2", "-1", "1:2:3"])
def test_a_number_of_workers_that_is_none(project: Project, workers: str):
    assert project.run(f"--dask-workers={workers}") == 1
    assert f"--dask-workers {workers}: expected a number" in project.printed


def test_without_slurm(project: Project, tmp_path: Path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in Path("/usr/bin").iterdir():
        if tool.name not in ("sbatch", "sinfo", "squeue", "scancel"):
            (tools / tool.name).symlink_to(tool)
    assert project.run(PATH=str(tools)) == 1
    assert "is not on this machine: it has no Slurm" in project.printed
    assert "Traceback" not in project.printed


@pytest.mark.parametrize(
    "values",
    [pytest.param({}, marks=pytest.mark.thorough), {"log_directory": "said/here"}],
    ids=["", "elsewhere"],
)
def test_workers_that_do_not_start(project: Project, slurm: Slurm, values: dict[str, object]):
    project.configure(job_script_prologue=["echo no such module >&2", "exit 3"], **values)
    assert project.run(workers="1") == 1
    assert "has ended (FAILED) without a worker:\nno such module" in project.printed
    assert "jobs in a row have had no worker" in project.printed
    assert not slurm.jobs() and not project.notes("start")


def test_limit_of_each_job_that_waiting_does_not_end(project: Project, slurm: Slurm):
    user = ["user", getpass.getuser()]
    run("sacctmgr", "-i", "add", "qos", "short", "MaxWall=00:10:00")
    run("sacctmgr", "-i", "modify", *user, "set", "qos+=short")
    project.configure(job_extra_directives=["--qos=short"], walltime="00:30:00")
    assert project.run(workers="1") == 1
    assert re.search(r"never start job \d+: QOSMaxWallDurationPerJobLimit", project.printed)
    assert "jobs in a row have had no worker" in project.printed
    assert not slurm.jobs() and not project.notes("start")


def test_job_that_is_held(project: Project, slurm: Slurm):
    project.configure(job_extra_directives=["--hold"])
    process = project.start("--config", "count=20", workers="1")
    wait_for(lambda: "is held (JobHeldUser): it waits for" in project.printed, "a word about it")
    [job] = slurm.jobs()
    run("scontrol", "release", job)
    assert process.wait() == 0, project.printed
    assert project.printed.count("is held") == 1
    project.check(20)
