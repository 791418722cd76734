"""What is lost when something dies: the jobs it was running, and nothing else."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
from conftest import DaskCluster, Project

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


@pytest.mark.parametrize("jobs", ["1", pytest.param("1000", marks=pytest.mark.thorough)])
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
@pytest.mark.parametrize("jobs", [pytest.param("1", marks=pytest.mark.thorough), "1000"])
def test_all_workers_killed(project: Project, cluster: DaskCluster, jobs: str) -> None:
    """Of several, at once: the jobs they were running begin again on those that come."""
    many(project)
    workers = [cluster.worker(), cluster.worker()]
    cluster.wait_for_workers(2)
    process = project.start(
        "--dask-cluster",
        cluster.address,
        "--dask-jobs-per-process",
        jobs,
        "--dask-records",
        "records",
    )
    project.wait_for(lambda: len(notes(project, "end")) > 60)
    for worker in workers:
        worker.kill()
    for worker in workers:
        worker.wait()
    for _ in range(2):
        cluster.worker()
    run = project.finish(process)
    assert run.code == 0, run.text
    check_many(project)
    # And each is told once.
    assert sorted(job["output"][0] for job in project.records()) == sorted(
        f"out/{i}.txt" for i in range(300)
    )


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


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [pytest.param("1", marks=pytest.mark.thorough), "1000"])
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
        pytest.param("import ctypes; ctypes.string_at(0)", "SIGSEGV", marks=pytest.mark.slow),
        ("import os; os.kill(os.getpid(), 9)", "perhaps because memory ran out"),
        pytest.param("import sys; sys.exit('no good')", "no good", marks=pytest.mark.slow),
        pytest.param("raise SystemExit(4)", "exit code 4", marks=pytest.mark.slow),
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


@pytest.mark.parametrize(
    ("output", "script", "message"),
    [
        ("'bad.txt'", "import os; os._exit(0)", "missing locally"),
        ("ensure('bad.txt', non_empty=True)", "open('bad.txt', 'w').close()", "empty"),
    ],
)
def test_job_that_ends_well_without_its_output(
    project: Project, output: str, script: str, message: str
) -> None:
    project.write(
        "Snakefile",
        f"""
        rule all:
            input: "next.txt"
        rule next:
            input: "bad.txt"
            output: "next.txt"
            shell: "echo > {{output}}"
        rule bad:
            output: {output}
            script: "bad.py"
        """,
    )
    project.write("bad.py", script)
    run = project.run("--latency-wait", "0")
    assert run.code == 1
    assert message in run.text and "bad.txt" in run.text
    assert not project.exists("next.txt")


@pytest.mark.slow
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
