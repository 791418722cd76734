"""Workers that share no files with the main process."""

from __future__ import annotations

import pytest
from conftest import Project

# Input and output are objects in a real run; a rule without either needs no storage.
WORKFLOW = """
rule all:
    log: "logs/all.log"
    script: "one.py"
"""
APART = ("--shared-fs-usage", "input-output", "persistence")


def test_a_job_runs_in_an_empty_folder_and_its_log_comes_back(project: Project) -> None:
    project.write("Snakefile", WORKFLOW)
    project.write(
        "one.py",
        """
        import os
        with open(snakemake.log[0], "w") as log:
            log.write(f"{os.listdir()} in {os.getcwd()}\\n")
        print("printed")
        """,
    )
    run = project.run(*APART)
    assert run.code == 0, run.text
    told, printed = project.read("logs/all.log").splitlines()
    assert told.startswith("['logs'] in ")
    assert str(project.path) not in told
    assert printed == "printed"


def test_the_log_of_a_failed_job_comes_back_too(project: Project) -> None:
    project.write("Snakefile", WORKFLOW)
    project.write("one.py", "raise ValueError('a reason')")
    run = project.run(*APART)
    assert run.code == 1
    assert "ValueError: a reason" in project.read("logs/all.log")


@pytest.mark.slow
def test_a_job_that_takes_its_workers_with_it_is_given_up(project: Project) -> None:
    project.write("Snakefile", WORKFLOW)
    project.write(
        "one.py",
        """
        import os, time
        import psutil
        # The job's parent is the fork server, and that one's the worker.
        psutil.Process().parent().parent().kill()
        time.sleep(30)
        """,
    )
    run = project.run(*APART, "--dask-lost-retries", "1")
    assert run.code == 1
    assert "lost with its worker or killed 2 times, not tried again" in run.text
