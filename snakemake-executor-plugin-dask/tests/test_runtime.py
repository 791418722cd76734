"""The resource `runtime` is a limit of what a job may take."""

from __future__ import annotations

import time

import pytest
from conftest import Project, gone


@pytest.mark.slow
def test_runtime_is_a_limit(project: Project) -> None:
    project.write(
        "Snakefile",
        """
        rule endless:
            output: "out.txt"
            resources: runtime=1
            shell: "echo half > {output}; sleep 1000"
        """,
    )
    began = time.monotonic()
    run = project.run()
    assert run.code == 1
    assert 60 < time.monotonic() - began < 80
    assert "killed after its runtime of 1 min" in run.text
    assert not project.exists("out.txt")


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [pytest.param("1", marks=pytest.mark.thorough), "100"])
def test_script_that_never_ends(project: Project, jobs: str) -> None:
    """It is killed with what it has started, also in a process that has run others before."""
    project.write(
        "Snakefile",
        """
        rule all:
            input: "0.txt", "1.txt", "2.txt"
        rule one:
            input: lambda wildcards: [] if wildcards.i == "0" else "0.txt"
            output: "{i}.txt"
            log: "{i}.log"
            resources: runtime=1
            script: "one.py"
        """,
    )
    project.write(
        "one.py",
        """
        import os, subprocess
        i = snakemake.wildcards.i
        print(os.getpid(), flush=True)
        open(snakemake.output[0], "w").write("half")
        if i == "1":
            helper = subprocess.Popen(["sleep", "1000"])
            print(helper.pid, flush=True)
            while True:
                pass
        """,
    )
    began = time.monotonic()
    run = project.run("--keep-going", "--dask-threads", "1", "--dask-jobs-per-process", jobs)
    assert run.code == 1
    assert time.monotonic() - began > 60
    assert "killed after its runtime of 1 min" in run.text
    assert [project.exists(f"{i}.txt") for i in range(3)] == [True, False, True]
    first, endless = (list(map(int, project.read(f"{i}.log").split())) for i in range(2))
    assert len(endless) == 2 and gone(endless)
    assert (first[0] == endless[0]) == (jobs == "100")
