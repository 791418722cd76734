"""Workers, fork servers and memory that go in the middle of a run: what runs is begun again."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from conftest import Project

pytestmark = pytest.mark.slow

# Two attempts at once, or one on top of another, would be seen in the lines of a file.
LINES = """
    rule all:
        input: expand("shell/{i}.txt", i=range(3)), expand("run/{i}.txt", i=range(2))
    rule shell:
        output: "shell/{i}.txt"
        shell: "(for k in `seq 20`; do echo $k >> {output}; sleep 0.3; done) | cat"
    rule run:
        output: "run/{i}.txt"
        run:
            import time
            for k in range(1, 21):
                with open(output[0], "a") as file:
                    print(k, file=file)
                time.sleep(0.3)
"""


def processes(project: Project, main: int) -> tuple[int, int]:
    """The worker and its fork server."""
    worker = psutil.Process(main)
    [server] = [each for each in worker.children() if "server" in " ".join(each.cmdline())]
    return worker.pid, server.pid


@pytest.mark.parametrize(
    "victims",
    [
        pytest.param("worker", marks=pytest.mark.thorough),
        pytest.param("server", marks=pytest.mark.thorough),
        "both",
    ],
)
@pytest.mark.parametrize("rule", ["shell", "run"])
def test_jobs_with_processes_of_their_own(project: Project, victims: str, rule: str) -> None:
    project.write("Snakefile", LINES)
    targets = [f"{rule}/{i}.txt" for i in range(3 if rule == "shell" else 2)]
    process = project.start(*targets)
    project.wait_for(lambda: any(len(p.read_text()) > 10 for p in project.path.glob(f"{rule}/*")))
    worker = project.node(process, "worker")
    assert worker
    worker, server = processes(project, worker)
    for victim in {"worker": [worker], "server": [server], "both": [worker, server]}[victims]:
        os.kill(victim, signal.SIGKILL)
    run = project.finish(process)
    assert run.code == 0, run.text
    for target in targets:
        assert project.read(target).split() == [str(k) for k in range(1, 21)], target


def test_worker_that_dies_again_and_again(project: Project) -> None:
    """As long as jobs end well in between, it is started again."""
    project.write(
        "Snakefile",
        """
        rule all:
            input: "7.txt"
        rule first:
            output: "0.txt"
            shell: "touch {output}"
        for i in range(1, 8):
            rule:
                input: f"{i - 1}.txt"
                output: f"{i}.txt"
                script: "one.py"
        """,
    )
    project.write(
        "one.py",
        """
        import os, psutil, time
        from pathlib import Path
        killed = Path(f"{snakemake.output[0]}.killed")
        if not killed.exists():
            killed.touch()
            psutil.Process().parent().parent().kill()
            time.sleep(60)
        Path(snakemake.output[0]).touch()
        """,
    )
    run = project.run()
    assert run.code == 0, run.text
    assert run.text.count("worker has ended (-9); starting another") == 7


@pytest.mark.parametrize(
    "how", ["script: 'one.py'", "run: exec(open('one.py').read(), {'snakemake': None})"]
)
def test_what_is_changed_in_place_is_not_begun_again(project: Project, how: str) -> None:
    project.write("Snakefile", f"rule one:\n    output: update('one.txt')\n    {how}\n")
    project.write("one.txt", "before\n")
    project.write(
        "one.py",
        """
        import time
        with open("one.txt", "a") as file:
            print("begun", file=file, flush=True)
            time.sleep(60)
        """,
    )
    process = project.start("--forceall")
    project.wait_for(lambda: "begun" in project.read("one.txt"))
    worker = project.node(process, "worker")
    assert worker
    os.kill(worker, signal.SIGKILL)
    run = project.finish(process)
    assert run.code == 1
    assert "lost with its worker or killed 1 times, not tried again" in run.text
    # Snakemake puts it back.
    assert project.read("one.txt") == "before\n"


@pytest.fixture
def limited() -> Iterator[Path]:
    """A control group with 1 GB of memory, where this process may make one."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    [name] = [line.split(":")[2] for line in lines if "memory" in line.split(":")[1]] or [""]
    parent = Path(f"/sys/fs/cgroup/memory{name}")
    if not name or not os.access(parent, os.W_OK):
        pytest.skip("needs to make a control group (version 1) with a limit on memory")
    group = parent / f"test-{secrets.token_hex(4)}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(2**30))
        yield group
    finally:
        group.rmdir()


def test_kernel_ends_what_eats_all_memory(project: Project, limited: Path) -> None:
    """The job goes, not the worker, the scheduler or Snakemake."""
    project.write(
        "Snakefile",
        """
        rule all:
            input: expand("good/{i}.txt", i=range(4)), "bad.txt"
        rule good:
            output: "good/{i}.txt"
            shell: "sleep 1; echo good > {output}"
        rule bad:
            output: "bad.txt"
            priority: 9
            script: "bad.py"
        """,
    )
    project.write(
        "bad.py",
        """
        open(snakemake.output[0], "w").write("half")
        everything = []
        while True:
            everything.append(bytearray(b"x") * 2**25)
        """,
    )
    process = project.start("--keep-going")
    (limited / "cgroup.procs").write_text(str(project.main(process).pid))
    run = project.finish(process)
    assert run.code == 1
    assert "killed by SIGKILL, perhaps because memory ran out" in run.text
    assert "worker has ended" not in run.text
    assert len(list(project.path.glob("good/*.txt"))) == 4
    assert not project.exists("bad.txt")
