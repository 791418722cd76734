"""What is lost when something dies: the jobs it was running, and nothing else."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest
from conftest import Project, abandoned_spaces, gone

MANY = """
    N = 300
    rule all:
        input: expand("out/{i}.txt", i=range(N))
    rule one:
        output: "out/{i}.txt"
        script: "one.py"
"""
# Each start and end of a job is noted, so that a job that ran twice is seen.
ONE = """
    import os, time
    name = snakemake.wildcards.i
    def note(what):
        fd = os.open("notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, f"{what} {name}\\n".encode())
        os.close(fd)
    note("start")
    with open(snakemake.output[0], "w") as file:
        file.write("half")
        file.flush()
        time.sleep(0.01)
        file.write(f" whole {name}")
    note("end")
"""


def many(project: Project) -> None:
    project.write("Snakefile", MANY)
    project.write("one.py", ONE)


def notes(project: Project, what: str) -> list[str]:
    if not project.exists("notes"):
        return []
    lines = [line.split() for line in project.read("notes").splitlines()]
    return [name for kind, name in lines if kind == what]


def check_many(project: Project, between: int = 0) -> None:
    """Every file is whole, and no job that had ended ran again.

    `between` allows for jobs past their last line whose processes had not ended.
    """
    for i in range(300):
        assert project.read(f"out/{i}.txt") == f"half whole {i}"
    ends = notes(project, "end")
    assert set(ends) == {str(i) for i in range(300)}
    assert len(ends) <= 300 + between
    # Two threads: at most two jobs are lost with a worker.
    assert 300 <= len(notes(project, "start")) <= 302


@pytest.mark.parametrize("jobs", ["1", pytest.param("1000", marks=pytest.mark.slow)])
def test_worker_killed(project: Project, jobs: str) -> None:
    many(project)
    process = project.start("--dask-jobs-per-process", jobs)
    project.wait_for(lambda: len(notes(project, "end")) > 60)
    worker = project.node(process, "worker")
    assert worker
    os.kill(worker, signal.SIGKILL)
    run = project.finish(process)
    assert run.code == 0, run.text
    check_many(project)


@pytest.mark.slow
def test_scheduler_killed(project: Project) -> None:
    many(project)
    process = project.start()
    project.wait_for(lambda: len(notes(project, "end")) > 60)
    scheduler = project.node(process, "scheduler")
    assert scheduler
    os.kill(scheduler, signal.SIGKILL)
    run = project.finish(process)
    assert run.code == 0, run.text
    assert "scheduler was lost" in run.text
    check_many(project, between=2)


@pytest.mark.parametrize("jobs", [pytest.param("1", marks=pytest.mark.slow), "1000"])
def test_fork_server_killed(project: Project, jobs: str) -> None:
    many(project)
    process = project.start("--dask-jobs-per-process", jobs)
    project.wait_for(lambda: len(notes(project, "end")) > 60)
    worker = project.node(process, "worker")
    [server] = [
        child
        for child in psutil.Process(worker).children()
        if "server" in " ".join(child.cmdline())
    ]
    server.kill()
    run = project.finish(process)
    assert run.code == 0, run.text
    check_many(project, between=2)


@pytest.mark.slow
def test_job_that_kills_its_worker_is_given_up(project: Project) -> None:
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
            script: "bad.py"
        """,
    )
    project.write(
        "bad.py",
        """
        import os, psutil, signal, time
        time.sleep(0.5)
        with open("starts", "a") as file:
            print("start", file=file)
        server = psutil.Process().parent()
        os.kill(server.ppid(), signal.SIGKILL)
        time.sleep(30)
        """,
    )
    run = project.run("--keep-going", "--dask-lost-retries", "2")
    assert run.code == 1
    assert project.read("starts").count("start") == 3
    assert "lost with its worker or killed 3 times" in run.text
    assert project.read("good.txt") == "good\n"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("import os; os._exit(3)", "exit code 3"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os; os.kill(os.getpid(), 9)", "perhaps because memory ran out"),
        ("import sys; sys.exit('no good')", "no good"),
        ("raise SystemExit(4)", "exit code 4"),
    ],
)
def test_death_of_a_job(project: Project, script: str, message: str) -> None:
    project.write(
        "Snakefile",
        """
        rule all:
            input: "good.txt", "bad.txt"
        rule good:
            output: "good.txt"
            shell: "sleep 0.5; echo good > {output}"
        rule bad:
            output: "bad.txt"
            script: "bad.py"
        """,
    )
    project.write("bad.py", f"open(snakemake.output[0], 'w').write('half')\n{script}\n")
    run = project.run("--keep-going")
    assert run.code == 1
    assert message in run.text
    assert "Error in rule bad" in run.text
    assert project.read("good.txt") == "good\n"
    assert not project.exists("bad.txt")


def test_memory_runs_out(project: Project) -> None:
    """The kernel would end the job before the worker; a limit on it is a plain error."""
    project.write("Snakefile", "rule bad:\n    output: 'bad.txt'\n    script: 'bad.py'\n")
    project.write(
        "bad.py",
        """
        import os, resource
        score = int(open("/proc/self/oom_score_adj").read())
        parent = int(open(f"/proc/{os.getppid()}/oom_score_adj").read())
        open("scores", "w").write(f"{score} {parent}")
        resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
        everything = []
        while True:
            everything.append(bytearray(2**26))
        """,
    )
    run = project.run()
    assert run.code == 1
    assert "MemoryError" in run.text
    score, parent = map(int, project.read("scores").split())
    assert score > parent


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to mount a small file system")
def test_full_disk(project: Project) -> None:
    full = project.path / "full"
    full.mkdir()
    assert os.system(f"mount -t tmpfs -o size=1m tmpfs {full}") == 0
    try:
        project.write("Snakefile", "rule bad:\n    output: 'full/bad.bin'\n    script: 'bad.py'\n")
        project.write("bad.py", "open(snakemake.output[0], 'wb').write(bytes(2**22))\n")
        run = project.run()
        assert run.code == 1
        assert "No space left on device" in run.text
        assert not project.exists("full/bad.bin")
    finally:
        os.system(f"umount {full}")


def test_file_size_limit(project: Project) -> None:
    project.write("Snakefile", "rule bad:\n    output: 'bad.bin'\n    script: 'bad.py'\n")
    project.write(
        "bad.py",
        """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
        open(snakemake.output[0], "wb").write(bytes(2**22))
        """,
    )
    run = project.run()
    assert run.code == 1
    assert "File too large" in run.text
    assert not project.exists("bad.bin")


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
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
def test_main_process_killed(project: Project) -> None:
    process = begin_endless(project)
    nodes = [project.node(process, "worker"), project.node(process, "scheduler")]
    project.main(process).kill()
    process.communicate()
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
    assert abandoned_spaces() == []


def test_failure_stops_the_queue(project: Project) -> None:
    project.write(
        "Snakefile",
        """
        rule all:
            input: expand("out/{i}.txt", i=range(200))
        rule one:
            output: "out/{i}.txt"
            params: bad=lambda w: int(w.i) % 10 == 3
            script: "one.py"
        """,
    )
    project.write(
        "one.py",
        """
        import time
        time.sleep(0.1)
        assert not snakemake.params.bad, "on purpose"
        open(snakemake.output[0], "w").write("whole")
        """,
    )
    run = project.run()
    assert run.code == 1
    assert "on purpose" in run.text
    assert len(list(project.path.glob("out/*.txt"))) < 100
    assert run.text.count("Error in rule") <= 2  # of the two that were running


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
