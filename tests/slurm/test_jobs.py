"""Each derivation a Slurm job, by snakemake-executor-plugin-slurm."""

from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path

import pytest
from conftest import ROOT, copy_checkout, snakemake
from snakemake_executor_plugin_dask import machine
from zygote import Process

from .conftest import ONE, Project
from .daemons import Slurm, run, wait_for

pytestmark = pytest.mark.slurm


def test_blocks_are_as_many_as_the_job_has_cores(slurm: Slurm, site: None, tmp_path: Path):
    folder = copy_checkout(tmp_path / "project")
    name = "fin_rdt_1d_all"
    sample = ["--config", "sample_dates=600", "sample_shares=9000", "memory_mb=4000"]
    snakemake("--profile", "profiles/local", name, *sample, cwd=folder, PYTHONPATH=str(folder))
    [result] = folder.glob(f"results/*/{name}.parquet")
    expected = result.read_bytes()
    arguments = ["--profile", "profiles/myria-jobs", name, *sample, "--forcerun", name]
    few = ["--set-resources", f"{name}:mem_mb=450", f"{name}:cpus_per_task=8"]
    snakemake(*arguments, *few, cwd=folder, PYTHONPATH=str(folder), timeout=600)
    [log] = (folder / "logs").glob(f"**/{name}.log")
    # Of those eight, as many as there are.
    cpus = min(8, machine.cpus())
    assert f"more than fits into 450 MB: block by block, {cpus} at a time" in log.read_text()
    assert result.read_bytes() == expected


def test_partition_that_is_not_there(slurm: Slurm, site: None, tmp_path: Path):
    folder = copy_checkout(tmp_path / "project")
    snakemake("--profile", "profiles/local", "fin_rdt_1d_all", cwd=folder, PYTHONPATH=str(folder))
    arguments = ["--profile", "profiles/myria-jobs", "fin_rdt_1d_all", "--force"]
    arguments += ["--default-resources", "slurm_partition=nope", "mem_mb=1000"]
    done = snakemake(*arguments, cwd=folder, PYTHONPATH=str(folder), timeout=600, check=False)
    assert done.returncode == 1
    assert "invalid partition specified: nope" in done.stdout


def start(project: Project, *arguments: str) -> Process:
    """Start the project's workflow with the profile."""
    shutil.copytree(ROOT / "profiles/myria-jobs", project.path / "jobs", dirs_exist_ok=True)
    return project.snakemake("--profile", "jobs", *arguments)


def test_lost_jobs_are_submitted_again(project: Project, slurm: Slurm, site: None):
    process = start(project, "--config", "count=3", "seconds=15")
    wait_for(lambda: len(project.notes("start")) == 3, "jobs")
    table = run("squeue", "-h", "-o", "%i %N").split()
    victim, node = table[0], table[3]
    run("scancel", victim)
    slurm.stop_node(node)
    try:
        assert process.wait() == 0, project.printed
    finally:
        slurm.start_node(node)
        wait_for(lambda: slurm.states() == ["idle"] * 4, "the nodes")
    # The third job may have been on that node, too.
    assert len(project.notes("start")) in (5, 6)
    project.check(3, lost=3)


def test_job_that_takes_longer_than_its_time(project: Project, slurm: Slurm, site: None):
    limit = ["--default-resources", "runtime=1", "slurm_partition=tcourt_intra", "--retries", "0"]
    process = start(project, *limit, "--config", "count=2", "seconds=1", "longest=200")
    assert process.wait() == 1
    assert "TIMEOUT" in project.printed, project.printed
    # The other one is done, and nothing is left of this one.
    assert project.notes("end") == ["1"]
    assert not (project.path / "out/0.txt").exists()
    assert not slurm.jobs()


def test_run_that_is_cut_is_resumed(project: Project, slurm: Slurm, site: None):
    # Whole or not at all, as derivations do. A script that is cut while it starts may write after
    # the Snakemake of its job has given up on it, and no mark is left that says so.
    text = ONE.replace("snakemake.output[0]", "part := snakemake.output[0] + '.part'")
    (project.path / "one.py").write_text(text + "os.replace(part, snakemake.output[0])\n")
    arguments = ("--jobs", "2", "--config", "count=4", "seconds=10")
    process = start(project, *arguments)
    wait_for(
        lambda: len(project.notes("end")) >= 2 and len(project.notes("start")) > 2, "jobs", 300
    )
    project.main(process).send_signal(signal.SIGINT)
    assert process.wait() != 0
    wait_for(lambda: not slurm.jobs(), "the end of all jobs")
    there = len(list((project.path / "out").glob("*.txt")))
    assert start(project, *arguments).wait() == 0, project.printed
    missing = re.search(r"^one +(\d+)", project.printed, re.M)
    # Of what is there, Snakemake may not have seen all as done.
    assert missing and 4 - there <= int(missing[1]) <= 3, project.printed
    project.check(4, lost=2)
