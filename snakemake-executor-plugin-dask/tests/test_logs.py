"""What a job prints: in its log, as it comes, and in nobody else's."""

from __future__ import annotations

import os
import signal
from functools import partial

import pytest
from conftest import Project


def test_output_goes_to_the_log(project: Project) -> None:
    project.write(
        "Snakefile",
        """
        rule all:
            input: expand("out/{i}.txt", i=range(8))
        rule one:
            output: "out/{i}.txt"
            log: "logs/{i}.log"
            script: "one.py"
        """,
    )
    project.write(
        "one.py",
        """
        import os, sys, time
        name = snakemake.wildcards.i
        for step in range(20):
            print(f"python {name}")
            os.system(f"echo shell {name}; echo error {name} >&2")
        open(snakemake.output[0], "w")
        """,
    )
    run = project.run()
    assert run.code == 0, run.text
    for i in range(8):
        assert project.read(f"logs/{i}.log") == f"python {i}\nshell {i}\nerror {i}\n" * 20
    assert "python 1" not in run.text


def test_log_that_the_script_writes_itself(project: Project) -> None:
    project.write(
        "Snakefile",
        "rule one:\n    output: 'one.txt'\n    log: 'one.log'\n    script: 'one.py'\n",
    )
    project.write(
        "one.py",
        """
        import sys
        print("printed before")
        sys.stderr = open(snakemake.log[0], "w")
        print("logged", file=sys.stderr)
        open(snakemake.output[0], "w")
        """,
    )
    assert project.run().code == 0
    assert project.read("one.log") == "logged\nprinted before\n"


FOLLOWED = """
    rule all:
        input: "0.txt"
    rule one:
        output: "{i}.txt"
        log: "{i}.log"
        script: "one.py"
"""
WAIT = """
    import os, sys, time
    def wait(name):
        while not os.path.exists(name):
            time.sleep(0.02)
"""


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [pytest.param("1", marks=pytest.mark.thorough), "100"])
def test_log_can_be_followed(project: Project, jobs: str) -> None:
    project.write("Snakefile", FOLLOWED)
    project.write(
        "one.py",
        WAIT
        + """
    for step in range(3):
        print(f"step {step}")
        os.system(f"echo shell {step}; echo error {step} >&2")
        wait(f"go.{step}")
    open(snakemake.output[0], "w")
        """,
    )
    process = project.start("--dask-jobs-per-process", jobs)
    lines = ""
    for step in range(3):
        lines += f"step {step}\nshell {step}\nerror {step}\n"
        project.wait_for(partial(project.holds, "0.log", lines), 30)
        project.write(f"go.{step}", "")
    run = project.finish(process)
    assert run.code == 0, run.text
    assert project.read("0.log") == lines


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["w", pytest.param("a", marks=pytest.mark.thorough)])
def test_log_that_the_script_opens_after_it_was_followed(project: Project, mode: str) -> None:
    """Nothing is lost or written over, of what is printed and of what the script writes."""
    project.write("Snakefile", FOLLOWED)
    project.write(
        "one.py",
        WAIT
        + f"""
    print("printed first")
    wait("go")
    with open(snakemake.log[0], "{mode}") as log:
        log.write("written\\n")
        log.flush()
        print("printed then")
        time.sleep(2.5)
        log.write("written again\\n")
    print("printed last")
    open(snakemake.output[0], "w")
        """,
    )
    process = project.start()
    project.wait_for(lambda: project.exists("0.log") and project.read("0.log"), 30)
    project.write("go", "")
    run = project.finish(process)
    assert run.code == 0, run.text
    printed, written = (
        ["printed first", "printed then", "printed last"],
        ["written", "written again"],
    )
    expected = [*written, *printed] if mode == "w" else [printed[0], *written, *printed[1:]]
    assert project.read("0.log").splitlines() == expected


@pytest.mark.slow
def test_log_that_the_script_keeps_open(project: Project) -> None:
    """While it has written nothing yet, nothing may be appended either."""
    project.write("Snakefile", FOLLOWED)
    project.write(
        "one.py",
        """
        import time
        log = open(snakemake.log[0], "w")
        print("printed")
        time.sleep(2.5)
        log.write("a line that is longer\\n")
        log.close()
        open(snakemake.output[0], "w")
        """,
    )
    run = project.run()
    assert run.code == 0, run.text
    assert project.read("0.log") == "a line that is longer\nprinted\n"


@pytest.mark.slow
def test_log_of_a_worker_that_is_lost(project: Project) -> None:
    """What was printed before is there; what is printed when the job begins again comes below."""
    project.write("Snakefile", FOLLOWED)
    project.write(
        "one.py",
        WAIT
        + """
    print("attempt", flush=True)
    wait("go")
    open(snakemake.output[0], "w")
        """,
    )
    process = project.start()
    project.wait_for(lambda: project.exists("0.log") and project.read("0.log"), 30)
    worker = project.node(process, "worker")
    assert worker
    os.kill(worker, signal.SIGKILL)
    project.wait_for(lambda: project.read("0.log").count("attempt") == 2, 30)
    project.write("go", "")
    run = project.finish(process)
    assert run.code == 0, run.text
    assert project.read("0.log") == "attempt\nattempt\n"


def test_output_without_a_log_is_shown_whole(project: Project) -> None:
    project.write(
        "Snakefile",
        """
        rule all:
            input: expand("out/{i}.txt", i=range(6))
        rule one:
            output: "out/{i}.txt"
            script: "one.py"
        """,
    )
    project.write(
        "one.py",
        """
        import sys, time
        for step in range(10):
            print(f"out {snakemake.wildcards.i}")
            print(f"err {snakemake.wildcards.i}", file=sys.stderr)
            time.sleep(0.01)
        open(snakemake.output[0], "w")
        """,
    )
    run = project.run()
    for i in range(6):
        assert f"out {i}\n" * 10 in run.stdout
        assert f"err {i}\n" * 10 in run.stderr


def test_exception_when_the_script_has_closed_its_stream(project: Project) -> None:
    project.write(
        "Snakefile",
        "rule one:\n    output: 'one.txt'\n    log: 'one.log'\n    script: 'one.py'\n",
    )
    project.write(
        "one.py",
        """
        import sys
        with open(snakemake.log[0], "w") as log:
            sys.stderr = sys.stdout = log
            print("told")
            raise ValueError("no such share")
        """,
    )
    run = project.run()
    assert run.code == 1
    assert project.read("one.log").startswith("told\nTraceback")
    for text in (project.read("one.log"), run.text):
        assert "ValueError: no such share" in text
        assert "child.py" not in text
