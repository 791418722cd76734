"""Snakemake hears of the end of every job, soon, and whatever the job was."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Project

from snakemake_executor_plugin_dask.server import KEEP_MEMORY

LOUD = """
    rule all:
        input: expand("out/{i}.txt", i=range(3))
    rule loud:
        output: "out/{i}.txt"
        shell: "printf 'h\\\\303\\\\251llo {wildcards.i}\\\\n'; touch {output}"
"""
# Not forked, as other runs are: their own interpreters and pipes are what these tests are about.
COMMAND = [sys.executable, "-m", "snakemake", "--executor", "dask", "-j4", "--dask-threads", "2"]


@pytest.mark.slow
def test_console_that_knows_no_accents(project: Project) -> None:
    project.write("Snakefile", LOUD)
    env = os.environ | {"PYTHONIOENCODING": "ascii"}
    run = subprocess.run(COMMAND, cwd=project.path, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert all(f"h?llo {i}\n" in run.stdout for i in range(3))


def test_console_that_is_gone(project: Project) -> None:
    """As with `snakemake | head`."""
    project.write("Snakefile", LOUD)
    with subprocess.Popen(COMMAND, cwd=project.path, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.close()
    assert len(list(project.path.glob("out/*.txt"))) == 3


@pytest.mark.parametrize("keep_going", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_params_that_do_not_pickle_are_the_failure_of_their_job(
    project: Project, keep_going: bool
) -> None:
    project.write(
        "Snakefile",
        """
        rule all:
            input: "good.txt", "bad.txt"
        rule good:
            output: "good.txt"
            shell: "echo good > {output}"
        rule bad:
            output: "bad.txt"
            priority: 9
            params: made=lambda wildcards: {"key": lambda: 1}
            script: "bad.py"
        """,
    )
    project.write("bad.py", "open(snakemake.output[0], 'w')\n")
    run = project.run(*["--keep-going"] * keep_going)
    assert run.code == 1
    assert "What rule bad gives its script, such as params and config" in run.text
    assert "Traceback" not in run.text
    assert project.exists("good.txt") or not keep_going


@pytest.mark.slow
def test_failure_while_jobs_are_still_being_sent(project: Project) -> None:
    """What Snakemake has in hand isn't begun after all."""
    project.write(
        "Snakefile",
        """
        rule all:
            input: expand("out/{i}.txt", i=range(400))
        rule one:
            output: "out/{i}.txt"
            script: "one.py"
        """,
    )
    project.write("one.py", "raise ValueError('at once')\n")
    run = project.run()
    assert run.code == 1
    assert run.text.count("ValueError: at once") < 100
    # The rest can be made by the next run.
    project.write("one.py", "open(snakemake.output[0], 'w')\n")
    run = project.run("out/399.txt", "--rerun-triggers", "mtime")
    assert run.code == 0, run.text


@pytest.mark.slow
def test_a_daemon_does_not_keep_its_job_from_ending(project: Project) -> None:
    """It has left the job's session, and holds what its parent had open."""
    project.write("Snakefile", "rule one:\n    output: 'one.txt'\n    script: 'one.py'\n")
    project.write(
        "one.py",
        """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(60)
            os._exit(0)
        time.sleep(0.2)
        open(snakemake.output[0], "w")
        """,
    )
    began = time.monotonic()
    run = project.run()
    assert run.code == 0, run.text
    assert time.monotonic() - began < 45


def test_fork_that_is_killed_at_once(tmp_path: Path) -> None:
    """Before it has a session of its own, too."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    module = "snakemake_executor_plugin_dask.server"
    command = [sys.executable, "-m", module, str(theirs.fileno()), "[]", "null"]
    server = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=os.environ | KEEP_MEMORY)
    ours.settimeout(20)
    connection, end = socket.socketpair()
    try:
        assert "ready" in json.loads(ours.recv(65536))
        with (tmp_path / "printed").open("wb") as file:
            for number in range(100):
                name = str(number)
                fds = [end.fileno(), *[file.fileno()] * 3]
                socket.send_fds(ours, [json.dumps({"fork": name}).encode()], fds)
                ours.send(json.dumps({"kill": name}).encode())
                while "status" not in (message := json.loads(ours.recv(65536))):
                    pass
                assert (message["id"], message["status"]) == (name, -9)
    finally:
        for each in (ours, theirs, connection, end):
            each.close()
        server.wait(20)


def test_why_there_is_no_process(project: Project) -> None:
    """A limit on processes, say; here what is preloaded has the last word on forks."""
    project.write("Snakefile", "rule one:\n    output: 'one.txt'\n    script: 'one.py'\n")
    project.write("one.py", "open(snakemake.output[0], 'w')\n")
    project.write(
        "modules/no_forks.py",
        """
        import os

        def refuse():
            raise BlockingIOError("Resource temporarily unavailable")

        os.fork = refuse
        """,
    )
    path = f"{os.environ.get('PYTHONPATH', '')}:{project.path}/modules"
    run = project.run("--dask-preload", "no_forks", PYTHONPATH=path)
    assert run.code == 1
    assert "no process for the job: could not fork: Resource temporarily unavailable" in run.text


def test_plan_is_kept_from_the_garbage_collector(project: Project) -> None:
    """And what a Snakefile has written to a file that it never closes is there after the run."""
    project.write(
        "Snakefile",
        """
        import gc
        unclosed = open("unclosed.txt", "w")
        unclosed.write("written")
        class Cycle: pass
        cycle = Cycle()
        cycle.itself, cycle.file = cycle, unclosed
        rule one:
            output: "one.txt"
            shell: "touch {output}"
        onsuccess:
            print(f"frozen: {gc.get_freeze_count()}, collected: {gc.isenabled()}")
        """,
    )
    # A process of its own: a fork ends without taking the interpreter apart.
    run = subprocess.run(COMMAND, cwd=project.path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    [frozen] = re.findall(r"frozen: (\d+), collected: True", run.stdout + run.stderr)
    assert int(frozen) > 10_000
    assert project.read("unclosed.txt") == "written"
