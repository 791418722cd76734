"""A run that is asked to stop, once or twice, or is killed."""

from __future__ import annotations

import os
import signal
import time

import pytest
from conftest import Project, abandoned_spaces, gone

ENDLESS = """
    rule all:
        input: expand("out/{i}.txt", i=range(40))
    rule one:
        output: "out/{i}.txt"
        script: "one.py"
"""
SLEEPER = """
    import os, subprocess, time
    open(snakemake.output[0], "w").write("half")
    helper = subprocess.Popen(["sleep", "1000"])
    open(f"started.{snakemake.wildcards.i}", "w").write(f"{os.getpid()} {helper.pid}")
    while not os.path.exists("go"):
        time.sleep(0.02)
    helper.kill()
    open(snakemake.output[0], "w").write("whole")
"""


def sleepers(project: Project) -> list[int]:
    return [int(pid) for path in project.path.glob("started.*") for pid in path.read_text().split()]


def begin_endless(project: Project) -> object:
    project.write("Snakefile", ENDLESS)
    project.write("one.py", SLEEPER)
    process = project.start()
    project.wait_for(lambda: len(sleepers(project)) == 4)
    return process


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_once(project: Project, number: int) -> None:
    process = begin_endless(project)
    project.main(process).send_signal(number)
    time.sleep(0.5)
    assert process.poll() is None
    project.write("go", "")
    run = project.finish(process)
    assert run.code != 0
    assert "Withdrew 38 jobs" in run.text
    done = list(project.path.glob("out/*.txt"))
    assert len(done) == 2
    assert all(path.read_text() == "whole" for path in done)
    # Nothing is left that a next run would stumble over, and what ended isn't run again.
    run = project.run("--rerun-triggers", "mtime")
    assert run.code == 0, run.text
    assert len(list(project.path.glob("started.*"))) == 40
    assert "one       38" in run.text or "one         38" in run.text


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.thorough)]
)
def test_what_begins_while_the_run_is_asked_to_stop(project: Project, number: int) -> None:
    """Each job that has begun ends: with jobs this short, one does begin in that moment."""
    project.write("Snakefile", ENDLESS.replace("40", "1000"))
    project.write(
        "one.py",
        """
        import time
        i = snakemake.wildcards.i
        open(f"begun.{i}", "w").close()
        time.sleep(0.01)
        open(f"ended.{i}", "w").close()
        open(snakemake.output[0], "w").write("whole")
        """,
    )
    process = project.start()
    project.wait_for(lambda: len(list(project.path.glob("ended.*"))) > 50)
    project.main(process).send_signal(number)
    run = project.finish(process)
    assert "Withdrew" in run.text
    begun, ended = (
        {p.suffix for p in project.path.glob(f"{what}.*")} for what in ("begun", "ended")
    )
    assert begun == ended == {f".{p.stem}" for p in project.path.glob("out/*.txt")}
    assert len(ended) < 1000


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_asked_to_stop_twice(project: Project, number: int) -> None:
    process = begin_endless(project)
    project.main(process).send_signal(number)
    time.sleep(0.7)
    project.main(process).send_signal(number)
    run = project.finish(process)
    assert run.code != 0
    assert gone(sleepers(project))
    assert not list(project.path.glob("out/*.txt"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.thorough)]
)
def test_asked_to_stop_twice_while_the_scheduler_is_lost(project: Project, number: int) -> None:
    process = begin_endless(project)
    scheduler = project.node(process, "scheduler")
    assert scheduler
    os.kill(scheduler, signal.SIGKILL)
    project.main(process).send_signal(number)
    time.sleep(0.5)
    project.main(process).send_signal(number)
    run = project.finish(process)
    assert run.code not in (0, 124)  # which `timeout` would return
    assert gone(sleepers(project))
    assert not list(project.path.glob("out/*.txt"))
    # A next run does all.
    project.write("go", "")
    run = project.run("--rerun-incomplete")
    assert run.code == 0, run.text
    assert len(list(project.path.glob("out/*.txt"))) == 40


@pytest.mark.slow
def test_main_process_killed(project: Project) -> None:
    process = begin_endless(project)
    nodes = [project.node(process, "worker"), project.node(process, "scheduler")]
    project.main(process).kill()
    process.wait(10)
    project.wait_for(lambda: gone(sleepers(project)), 10)
    project.wait_for(lambda: gone(nodes), 20)
    # The halves are known to Snakemake as incomplete.
    project.write("go", "")
    project.run("--unlock")
    run = project.run()
    assert run.code == 1
    assert "incomplete" in run.text
    run = project.run("--rerun-incomplete")
    assert run.code == 0, run.text
    assert {path.read_text() for path in project.path.glob("out/*.txt")} == {"whole"}
    project.wait_for(lambda: abandoned_spaces() == [], 10)
