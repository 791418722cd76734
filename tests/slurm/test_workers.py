"""Workers in Slurm jobs: as they were asked for, waited for, and replaced in time."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from .conftest import Project, commands
from .daemons import Slurm, run, wait_for
from .listening import check_listening

pytestmark = pytest.mark.slurm

# Slurm may have a reason for each job.
FULL = re.compile(r"Slurm: 2 jobs asked for, 0 running, .* waiting \(")


def test_run_inside_a_slurm_job(project: Project, slurm: Slurm):
    arguments = "--executor dask --dask-cluster slurm --dask-workers 2 --scheduler dask"
    command = f"snakemake {arguments} --dask-config jobqueue.yaml --jobs 1000 --config count=20"
    options = ["--cpus-per-task=1", "--mem=3G", "--ntasks=2", f"--chdir={project.path}"]
    job = run("sbatch", "--parsable", *options, "--output=printed", f"--wrap={command}").strip()
    wait_for(lambda: project.notes("start"), "jobs")
    [worker, *_] = [one for one in slurm.jobs() if one != job]
    shown = run("scontrol", "show", "job", worker)
    for wish in ("NumTasks=1 ", "CPUs/Task=2 ", "MinMemoryNode=2G"):
        assert wish in shown
    wait_for(lambda: not slurm.jobs(), "the end of all jobs")
    project.check(20)


def fill(slurm: Slurm, seconds: int) -> None:
    """Leave no room on any node for some time."""
    for _ in slurm.nodes:
        run("sbatch", "--exclusive", "--output=/dev/null", f"--wrap=sleep {seconds}")
    wait_for(lambda: len(slurm.jobs("--states=RUNNING")) == 4, "a full cluster")


def test_full_queue_is_waited_for(project: Project, slurm: Slurm):
    fill(slurm, 60)
    began = time.monotonic()
    assert project.run("--config", "count=20") == 0, project.printed
    assert time.monotonic() - began > 50
    assert FULL.search(project.printed), project.printed
    project.check(20)


def test_nodes_that_are_drained_are_waited_for(project: Project, slurm: Slurm):
    nodes = f"nodename={','.join(slurm.nodes)}"
    run("scontrol", "update", nodes, "state=drain", "reason=test")
    try:
        process = project.start("--config", "count=20", workers="0:2")
        wait_for(lambda: FULL.search(project.printed), "a word about it")
    finally:
        run("scontrol", "update", nodes, "state=resume")
    assert process.wait() == 0, project.printed
    project.check(20)


def test_waiting_that_nothing_would_end_ends_the_run(project: Project, slurm: Slurm):
    fill(slurm, 300)
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
    workers = commands("dask_worker", project)
    assert workers and all(one.environ()["FROM_PROLOGUE"] == "yes" for one in workers)
    assert list((tmp_path / "scratch").iterdir())
    assert process.wait() == 0, project.printed


@pytest.mark.parametrize(
    "by", [pytest.param("prologue", marks=pytest.mark.thorough), "local_directory"]
)
def test_temporary_files_are_of_the_node(project: Project, slurm: Slurm, tmp_path: Path, by: str):
    scratch = f"{tmp_path}/$SLURMD_NODENAME/scratch"
    lines = [f"mkdir -p {scratch}", f"export TMPDIR={scratch}"]
    values = {"prologue": {"job_script_prologue": lines}, "local_directory": {by: scratch}}
    project.configure(**values[by])
    (project.path / "Snakefile").write_text(
        """
rule all:
    input: "script.txt", "shell.txt"
rule script:
    output: "script.txt"
    script: "where.py"
rule shell:
    output: "shell.txt"
    shell: "echo $SLURMD_NODENAME $TMPDIR $TEMP {resources.tmpdir} > {output}"
"""
    )
    (project.path / "where.py").write_text(
        """
import os, tempfile
where = os.environ["SLURMD_NODENAME"], tempfile.gettempdir(), os.environ["TEMP"]
open(snakemake.output[0], "w").write(" ".join((*where, snakemake.resources.tmpdir)))
"""
    )
    assert project.run() == 0, project.printed
    for file in ("script.txt", "shell.txt"):
        node, *folders = (project.path / file).read_text().split()
        assert folders == [f"{tmp_path}/{node}/scratch"] * 3


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
    project.configure(walltime="00:02:00", processes=2)
    fill(slurm, 60)
    assert project.run("--config", "count=400", "seconds=1") == 0, project.printed
    left = [int(seconds) for seconds in re.findall(r"for (\d+) s more: replaced", project.printed)]
    # A quarter of the time is enough unless the queue is longer, as it was.
    assert len(left) >= 2 and min(left) > 30, project.printed
    assert "was lost" not in project.printed
    project.check(400, lost=4)
    assert not slurm.jobs()


@pytest.mark.parametrize(
    "values",
    [{}, pytest.param({"interface": "lo"}, marks=pytest.mark.thorough)],
    ids=["found", "chosen"],
)
def test_listens_at_one_address_with_tls_only(
    project: Project, slurm: Slurm, values: dict[str, object]
):
    project.configure(**values)
    process = project.start("--config", "seconds=1", "count=30")
    wait_for(lambda: project.notes("start"), "jobs")
    # The scheduler; of each of two jobs the nanny, the worker, and its server of no pages.
    assert len(check_listening(project.path)) >= 2 + 2 * 3
    assert process.wait() == 0, project.printed
