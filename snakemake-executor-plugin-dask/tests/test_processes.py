"""Processes of jobs: how they run, and those that run one job after another, on request."""

from __future__ import annotations

import os
import pickle
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import Project

from snakemake_executor_plugin_dask.forkserver import ForkServer

KEPT = ("--dask-jobs-per-process", "100")
# Memory that goes back to the system.
MAPPED = "import mmap; m = mmap.mmap(-1, 2**27); m[::4096] = m[::4096]; m.close()"
FIFTY = """
    rule all:
        input: expand("out/{i}.txt", i=range(50))
    rule one:
        output: "out/{i}.txt"
        script: "one.py"
"""


def pids(project: Project) -> Counter[str]:
    """How many of the fifty jobs each process has run."""
    return Counter(project.read(f"out/{i}.txt").split()[0] for i in range(50))


def test_what_is_put_back(project: Project) -> None:
    """Jobs spoil what they can, and each finds all as new though they share two processes."""
    project.write("Snakefile", FIFTY)
    project.write(
        "one.py",
        """
        import decimal, gc, locale, logging, os, random, signal, socket, sys, tempfile, threading
        import time, warnings
        from pathlib import Path
        import numpy

        assert Path("one.py").exists(), os.getcwd()
        assert "SPOILED" not in os.environ and "HOME" in os.environ
        assert "spoiled" not in sys.path and sys.path[0].endswith(".snakemake/scripts")
        assert len(sys.argv) == 1 and sys.argv[0].endswith("one.py")
        assert "leftover" not in globals()
        assert not logging.getLogger().handlers and not logging.getLogger("mine").handlers
        assert logging.getLogger("mine").level == logging.NOTSET
        assert warnings.showwarning.__module__ == "warnings"
        assert not any(each[2] is UnicodeWarning for each in warnings.filters)
        assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
        assert numpy.geterr()["divide"] == "warn"
        assert sys.stdout.fileno() == 1 and sys.excepthook is sys.__excepthook__
        assert sys.getrecursionlimit() == 1000 and gc.isenabled()
        assert os.umask(0o22) == 0o22
        assert tempfile.gettempdir() != "/spoiled"
        assert decimal.getcontext().prec == 28
        assert socket.getdefaulttimeout() is None
        assert time.tzname[0] != "XYZ"
        assert sys.getswitchinterval() == 0.005
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
        numbers = f"{os.getpid()} {random.random()} {numpy.random.rand()}"
        Path(snakemake.output[0]).resolve().write_text(numbers)

        leftover = 1
        os.environ["SPOILED"] = "1"
        del os.environ["HOME"]
        sys.path.insert(0, "spoiled")
        sys.argv.append("spoiled")
        logging.basicConfig(filename=snakemake.output[0] + ".log", level="INFO")
        logging.getLogger("mine").addHandler(logging.StreamHandler())
        logging.getLogger("mine").setLevel("ERROR")
        logging.captureWarnings(True)
        logging.info("to the log of job %s", snakemake.output[0])
        warnings.filterwarnings("ignore", category=UnicodeWarning)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        numpy.seterr(divide="raise")
        sys.stdout = sys.stderr
        sys.excepthook = print
        sys.setrecursionlimit(5000)
        gc.disable()
        random.seed(1)
        numpy.random.seed(1)
        os.umask(0)
        os.chdir("/tmp")
        threading.Thread(target=print).run()
        tempfile.tempdir = "/spoiled"
        decimal.getcontext().prec = 3
        socket.setdefaulttimeout(3)
        os.environ["TZ"] = "XYZ1"
        time.tzset()
        sys.setswitchinterval(0.5)
        signal.alarm(1)
        """,
    )
    run = project.run(*KEPT)
    assert run.code == 0, run.text
    assert len(pids(project)) <= 4
    numbers = [project.read(f"out/{i}.txt").split() for i in range(50)]
    assert all(len(set(column)) == 50 for column in zip(*[n[1:] for n in numbers], strict=True))
    for i in range(50):
        assert project.read(f"out/{i}.txt.log").count("to the log") == 1


@pytest.mark.parametrize(
    "leftover",
    [
        "import subprocess; subprocess.Popen(['sleep', '1000'])",
        *(
            pytest.param(code, marks=pytest.mark.thorough)
            for code in (
                "import sys, numpy; sys.modules['numpy'].kept = numpy.ones(2**26)",
                "import os; os.system('sleep 1000 > /dev/null 2>&1 &')",
                "import os; os.open('/dev/null', os.O_RDONLY)",
                "import threading, time; threading.Thread(target=time.sleep, args=[.1]).start()",
                "import atexit; atexit.register(print, end='')",
                "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))",
                "import builtins; builtins.leftover = 1",
                "import os; os.nice(1)",
                "import os; os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))",
                "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})",
                "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])",
            )
        ),
    ],
)
def test_process_with_leftovers_is_replaced(project: Project, leftover: str) -> None:
    project.write("Snakefile", FIFTY.replace("50", "8"))
    project.write(
        "one.py", f"import os\nopen(snakemake.output[0], 'w').write(str(os.getpid()))\n{leftover}\n"
    )
    run = project.run(*KEPT)
    assert run.code == 0, run.text
    assert len({project.read(f"out/{i}.txt") for i in range(8)}) == 8


def test_jobs_that_fail_or_die(project: Project) -> None:
    """Each failure is its own job's, with its own words, whatever ran before in the process."""
    project.write("Snakefile", FIFTY)
    project.write(
        "one.py",
        """
        import os, sys
        with open(snakemake.output[0], "w") as file:
            file.write(str(os.getpid()))
        match int(snakemake.wildcards.i) % 10:
            case 1: raise ValueError(f"wrong {snakemake.wildcards.i}.")
            case 3: sys.exit(f"exit {snakemake.wildcards.i}.")
            case 5: os.kill(os.getpid(), 9)
            case 7: os._exit(0)
        """,
    )
    run = project.run(*KEPT, "--keep-going")
    assert run.code == 1
    for i in range(50):
        assert project.exists(f"out/{i}.txt") == (i % 10 not in (1, 3, 5)), i
        if i % 10 == 1:
            assert f"ValueError: wrong {i}." in run.text
        if i % 10 == 3:
            assert f"exit {i}." in run.text
    assert run.text.count("killed by SIGKILL") == 5
    assert "50 jobs (15 failed)" in run.text


def test_scripts_do_not_share_processes(project: Project) -> None:
    project.write(
        "Snakefile",
        """
        rule all:
            input: expand("out/{name}{i}.txt", name=["a", "b"], i=range(10))
        rule a:
            output: "out/a{i}.txt"
            script: "a.py"
        rule b:
            output: "out/b{i}.txt"
            script: "b.py"
        """,
    )
    text = "import os; open(snakemake.output[0], 'w').write(str(os.getpid()))\n"
    project.write("a.py", text)
    project.write("b.py", text)
    run = project.run(*KEPT)
    assert run.code == 0, run.text
    used = {name: {project.read(f"out/{name}{i}.txt") for i in range(10)} for name in "ab"}
    assert not used["a"] & used["b"]
    assert len(used["a"] | used["b"]) < 20


def test_module_that_changes(project: Project) -> None:
    """A process that knows an older version of the workflow's code isn't used again."""
    project.write(
        "Snakefile",
        """
        rule all:
            input: "out/2.txt"
        rule one:
            output: "out/1.txt"
            script: "one.py"
        rule two:
            input: "out/1.txt"
            output: "out/2.txt"
            script: "one.py"
        """,
    )
    project.write("common.py", "VALUE = 'old'\n")
    project.write(
        "one.py",
        """
        import common
        from pathlib import Path
        Path(snakemake.output[0]).write_text(common.VALUE)
        Path(common.__file__).write_text("VALUE = 'newer'\\n")
        """,
    )
    run = project.run(*KEPT, "--dask-threads", "1")
    assert run.code == 0, run.text
    assert (project.read("out/1.txt"), project.read("out/2.txt")) == ("old", "newer")


def test_output_of_each_job_is_its_own(project: Project) -> None:
    project.write(
        "Snakefile",
        """
        rule all:
            input: expand("out/{i}.txt", i=range(20)), "loud.txt"
        rule one:
            output: "out/{i}.txt"
            log: "logs/{i}.log"
            script: "one.py"
        rule loud:
            output: "loud.txt"
            script: "one.py"
        """,
    )
    project.write(
        "one.py",
        """
        import os, sys
        print("python", snakemake.output[0])
        os.system(f"echo shell {snakemake.output[0]} >&2")
        print("error", snakemake.output[0], file=sys.stderr)
        open(snakemake.output[0], "w").close()
        """,
    )
    run = project.run(*KEPT, "--dask-threads", "1")
    assert run.code == 0, run.text
    for i in range(20):
        lines = [f"{word} out/{i}.txt" for word in ("python", "shell", "error")]
        assert project.read(f"logs/{i}.log").splitlines() == lines
    assert "python loud.txt\n" in run.stdout
    assert "shell loud.txt\nerror loud.txt\n" in run.stderr


def test_usage_is_of_the_job_alone(tmp_path: Path) -> None:
    """CPU, memory and bytes of a job don't hold those of the jobs before it in its process."""
    server = ForkServer(["numpy"], {}, jobs_per_process=3)
    script = tmp_path / "script.py"
    script.write_text("import os; print(os.getpid()); exec(snakemake.code)\n")

    def run(name: str, code: str) -> Any:
        job = {
            **{"cwd": str(tmp_path), "env": {}, "script_dir": "", "threads": 1},
            **{"text": script.read_text(), "filename": str(script), "search_path": []},
            **{"handover": {}, "is_read": False, "shell_exec": None},
            **{"snakemake": pickle.dumps(SimpleNamespace(resources={}, code=code))},
        }
        ledger = str(tmp_path / name)
        return server.run(name, pickle.dumps(job), ledger, key="script")

    try:
        large = run("large", "sum(range(5_000_000)); " + MAPPED)
        bytes_ = run("bytes", "open('output', 'wb').write(bytes(2**20))")
        last = run("last", "pass")
        other = run("other", "pass")
    finally:
        server.close()
    assert [exit_.status for exit_ in (large, bytes_, last, other)] == [0, 0, 0, 0]
    processes = [int(exit_.stdout) for exit_ in (large, bytes_, last, other)]
    assert len(set(processes[:3])) == 1 and processes[3] != processes[0]
    assert large.cpu > 0.05 > max(bytes_.cpu, last.cpu)
    assert large.max_rss - last.max_rss > 2**26
    assert bytes_.written >= 2**20 > max(large.written, last.written)
    for name in ("large", "bytes", "last", "other"):
        assert Path(tmp_path / name).read_text().splitlines()[-1] == "end 0"


def test_idle_processes_are_few(tmp_path: Path) -> None:
    """Of the processes that wait for another job of their script, the oldest are let go."""
    server = ForkServer([], {}, jobs_per_process=10, idle_processes=2)
    script = tmp_path / "script.py"
    script.write_text("import os; print(os.getpid())\n")
    job = {
        **{"cwd": str(tmp_path), "env": {}, "script_dir": "", "threads": 1},
        **{"text": script.read_text(), "filename": str(script), "search_path": []},
        **{"handover": {}, "is_read": False, "shell_exec": None},
        **{"snakemake": pickle.dumps(SimpleNamespace(resources={}))},
    }
    try:
        first = {
            key: int(server.run(key, pickle.dumps(job), None, key=key).stdout) for key in "abc"
        }
        again = {
            key: int(server.run(f"{key}2", pickle.dumps(job), None, key=key).stdout)
            for key in "cba"
        }
    finally:
        server.close()
    assert (again["c"], again["b"]) == (first["c"], first["b"])
    assert again["a"] != first["a"]
    assert not Path(f"/proc/{first['a']}").exists() or os.getpid() == first["a"]


def test_jobs_leave_precedence_to_what_feeds_them(project: Project) -> None:
    project.write("Snakefile", "rule one:\n    output: 'one.txt'\n    script: 'one.py'\n")
    script = "import os; open(snakemake.output[0], 'w').write(str(os.sched_getscheduler(0)))\n"
    project.write("one.py", script)
    assert project.run().code == 0
    assert project.read("one.txt") == str(os.SCHED_BATCH)
