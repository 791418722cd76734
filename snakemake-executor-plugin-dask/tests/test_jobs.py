"""What a job sees, prints and leaves behind."""

from __future__ import annotations

import pytest
from conftest import Check, Project

TWO = """
    rule all:
        input: "0.txt", "1.txt"
    rule one:
        output: "{i}.txt"
        script: "one.py"
"""


def test_nothing_leaks(project: Project) -> None:
    """Fifty jobs on two threads spoil what they can; each finds all as new."""
    project.write(
        "Snakefile",
        """
        rule all:
            input: expand("out/{i}.txt", i=range(50))
        rule one:
            output: "out/{i}.txt"
            script: "scripts/one.py"
        """,
    )
    project.write("scripts/shared.py", "value = 0\n")
    project.write(
        "scripts/one.py",
        """
        import os, random, subprocess, sys, tempfile
        from pathlib import Path
        import numpy, pandas, shared

        here = os.getcwd()
        assert Path("scripts/one.py").exists(), here
        assert "SPOILED" not in os.environ
        assert "spoiled" not in sys.path and sys.path[0].endswith(".snakemake/scripts")
        assert len(sys.argv) == 1 and sys.argv[0].endswith("one.py")
        assert shared.value == 0 and not hasattr(pandas, "spoiled")
        assert pandas.get_option("display.max_rows") == 60
        assert os.umask(0o22) == 0o22
        # stdin, stdout, stderr, what the parent passed on, and the list of descriptors itself
        assert len(os.listdir("/proc/self/fd")) <= 8, os.listdir("/proc/self/fd")
        numbers = f"{random.random()} {numpy.random.rand()} {os.getpid()}"
        Path(snakemake.output[0]).resolve().write_text(numbers)

        os.environ["SPOILED"] = "1"
        sys.path.insert(0, "spoiled")
        sys.argv.append("spoiled")
        shared.value = 1
        pandas.spoiled = True
        pandas.set_option("display.max_rows", 7)
        keep = open("/dev/null")
        if int(snakemake.wildcards.i) < 4:
            subprocess.Popen(["sleep", "1000"])
        os.umask(0)
        os.chdir(tempfile.gettempdir())
        """,
    )
    run = project.run()
    assert run.code == 0, run.text
    numbers = [project.read(f"out/{i}.txt").split() for i in range(50)]
    assert all(len(set(column)) == 50 for column in zip(*numbers, strict=True))


def test_changed_module_is_seen(project: Project) -> None:
    """A module of the workflow that an earlier job has imported may change."""
    project.write(
        "Snakefile",
        """
        rule all:
            input: "second.txt"
        rule first:
            output: "first.txt"
            script: "scripts/first.py"
        rule second:
            input: "first.txt"
            output: "second.txt"
            script: "scripts/second.py"
        """,
    )
    project.write("scripts/common.py", "VALUE = 'old'\n")
    project.write(
        "scripts/first.py",
        """
        import common
        from pathlib import Path
        Path(snakemake.output[0]).write_text(common.VALUE)
        Path(common.__file__).write_text("VALUE = 'newer'\\n")
        """,
    )
    project.write(
        "scripts/second.py",
        "import common; open(snakemake.output[0], 'w').write(common.VALUE)\n",
    )
    run = project.run()
    assert run.code == 0, run.text
    assert (project.read("first.txt"), project.read("second.txt")) == ("old", "newer")


def test_exception(project: Project) -> None:
    project.write(
        "Snakefile",
        "rule one:\n    output: 'one.txt'\n    log: 'one.log'\n    script: 'scripts/one.py'\n",
    )
    project.write(
        "scripts/one.py",
        """
        def calculate():
            raise ValueError("no such share")

        calculate()
        """,
    )
    run = project.run()
    assert run.code == 1
    for text in (project.read("one.log"), run.text):
        assert "ValueError: no such share" in text
        assert 'scripts/one.py", line 3, in calculate' in text
        assert 'raise ValueError("no such share")' in text
    assert "child.py" not in run.text


def test_syntax_error(project: Project) -> None:
    project.write("Snakefile", "rule one:\n    output: 'one.txt'\n    script: 'one.py'\n")
    project.write("one.py", "x = = 1\n")
    run = project.run()
    assert run.code == 1
    assert 'one.py", line 1' in run.text and "SyntaxError" in run.text
    assert "child.py" not in run.text


def test_names_that_a_script_has_without_importing_them(check_same_files: Check) -> None:
    check_same_files(
        {
            "Snakefile": """
                rule one:
                    output: "one.txt"
                    script: "one.py"
            """,
            "one.py": """
                sys.stdout = open(snakemake.output[0], "w")
                print(pickle.loads(pickle.dumps([1])), logger.name, Snakemake.__name__)
            """,
        }
    )


@pytest.mark.slow
def test_cache(project: Project) -> None:
    project.write(
        "Snakefile",
        """
        rule one:
            output: "one.txt"
            cache: True
            shell: "echo ran >> ran; echo x > {output}"
        """,
    )
    cache = project.path / "cache"
    cache.mkdir()
    for _ in range(2):
        run = project.run("--cache", "one", SNAKEMAKE_OUTPUT_CACHE=str(cache))
        assert run.code == 0, run.text
        assert project.read("one.txt") == "x\n"
        (project.path / "one.txt").unlink()
    assert project.read("ran") == "ran\n"


def test_threads_reach_libraries(project: Project) -> None:
    project.write(
        "Snakefile",
        "rule one:\n    output: 'one.txt'\n    threads: 64\n    script: 'one.py'\n",
    )
    project.write(
        "one.py",
        """
        import os, pyarrow
        counts = snakemake.threads, os.environ["OMP_NUM_THREADS"], pyarrow.cpu_count()
        open(snakemake.output[0], "w").write(str(counts))
        """,
    )
    run = project.run()
    assert run.code == 0, run.text
    assert project.read("one.txt") == "(2, '2', 2)"


def test_threads_reach_what_another_snakemake_runs(project: Project) -> None:
    project.write(
        "Snakefile",
        """
        rule one:
            output: "one.txt"
            threads: 2
            run:
                import os
                open(output[0], "w").write(os.environ["OMP_NUM_THREADS"])
        """,
    )
    run = project.run()
    assert run.code == 0, run.text
    assert project.read("one.txt") == "2"


def test_resources_are_kept(project: Project) -> None:
    """Two threads, 1000 MB: what is wanted together never exceeds what there is."""
    project.write(
        "Snakefile",
        """
        rule all:
            input: expand("{kind}/{i}.txt", kind=["large", "wide", "small"], i=range(4))
        rule large:
            output: "large/{i}.txt"
            resources: mem_mb=600
            script: "one.py"
        rule wide:
            output: "wide/{i}.txt"
            threads: 2
            resources: mem_mb=10
            script: "one.py"
        rule small:
            output: "small/{i}.txt"
            resources: mem_mb=10
            script: "one.py"
        """,
    )
    project.write(
        "one.py",
        """
        import time
        began = time.time()
        time.sleep(0.15)
        with open(snakemake.output[0], "w") as file:
            print(began, time.time(), file=file)
        """,
    )
    run = project.run("--dask-memory-mb", "1000")
    assert run.code == 0, run.text
    spans = []
    for kind, threads, memory in (("large", 1, 600), ("wide", 2, 10), ("small", 1, 10)):
        for i in range(4):
            began, ended = map(float, project.read(f"{kind}/{i}.txt").split())
            spans.append((began, ended, threads, memory))
    together = 0
    for moment, *_ in spans:
        running = [span for span in spans if span[0] <= moment < span[1]]
        assert sum(span[2] for span in running) <= 2
        assert sum(span[3] for span in running) <= 1000
        together = max(together, len(running))
    assert together == 2


def test_impossible_job_fails_at_once(project: Project) -> None:
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
            resources: mem_mb=5000
            shell: "echo bad > {output}"
        """,
    )
    run = project.run("--keep-going", "--dask-memory-mb", "900")
    assert run.code == 1
    assert "No worker can run this job. It needs mem_mb=5000, threads=1" in run.text
    assert "workers have mem_mb=900, threads=2" in run.text
    # Snakemake's own guess at the memory of a rule that states none doesn't count against it.
    assert project.read("good.txt") == "good\n"


def test_run_is_accounted_for(project: Project) -> None:
    project.write("Snakefile", "rule one:\n    output: 'one.txt'\n    script: 'one.py'\n")
    project.write("one.py", "open(snakemake.output[0], 'w').write('x' * 12_000_000)\n")
    run = project.run()
    assert "Dask: local cluster, 1 worker, 2 threads" in run.text
    assert "Dask: 1 jobs in" in run.text
    assert "12 MB written" in run.text
    assert not project.exists(".snakemake/dask/") or not any(
        (project.path / ".snakemake/dask").iterdir()
    )


@pytest.mark.parametrize("jobs", [pytest.param("1", marks=pytest.mark.thorough), "100"])
def test_what_a_script_does_after_its_last_line(project: Project, jobs: str) -> None:
    """Threads and functions to be called at exit know its names."""
    project.write("Snakefile", TWO)
    project.write(
        "one.py",
        """
        import atexit, threading, time
        lines = ["script"]
        def later():
            time.sleep(0.3)
            lines.append("thread")
        def last():
            lines.append("exit")
            open(snakemake.output[0], "w").write(" ".join(lines))
        atexit.register(last)
        threading.Thread(target=later).start()
        """,
    )
    run = project.run("--dask-jobs-per-process", jobs, "--dask-threads", "1")
    assert run.code == 0, run.text
    assert [project.read(f"{i}.txt") for i in range(2)] == ["script thread exit"] * 2


def test_daemon_thread_ends_without_a_word(project: Project) -> None:
    project.write("Snakefile", TWO)
    project.write(
        "one.py",
        """
        import threading, time
        def spin():
            while True:
                time.sleep(0.001)
        threading.Thread(target=spin, daemon=True).start()
        open(snakemake.output[0], "w").close()
        """,
    )
    run = project.run()
    assert run.code == 0, run.text
    assert "Traceback" not in run.text


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [pytest.param("1", marks=pytest.mark.thorough), "100"])
def test_script_that_forks(project: Project, jobs: str) -> None:
    """Its fork comes to the end of the script, too; the job ends when the script itself does."""
    project.write("Snakefile", TWO)
    project.write(
        "one.py",
        """
        import os, sys, time
        if os.fork() == 0:
            print("fork", snakemake.wildcards.i)
            sys.exit(3 if snakemake.wildcards.i == "0" else 0)
        _, status = os.wait()
        time.sleep(0.5)
        open(snakemake.output[0], "w").write(str(os.waitstatus_to_exitcode(status)))
        """,
    )
    run = project.run("--dask-jobs-per-process", jobs, "--dask-threads", "1")
    assert run.code == 0, run.text
    assert [project.read(f"{i}.txt") for i in range(2)] == ["3", "0"]
    assert run.stdout.count("fork") == 2


@pytest.mark.slow
def test_commands_have_the_signals_of_a_shell(check_same_files: Check) -> None:
    """Else what writes into a pipe that nobody reads would go on for ever."""
    files = check_same_files(
        {
            "Snakefile": """
                rule all:
                    input: "signals.txt", "head.txt"
                rule signals:
                    output: "signals.txt"
                    shell: "grep -E 'Sig(Ign|Blk)' /proc/self/status > {output}"
                rule head:
                    output: "head.txt"
                    shell: "set +o pipefail; yes | head -1 > {output}"
            """,
        },
    )
    masks = [int(line.split()[1], 16) for line in files["signals.txt"].splitlines()]
    # Those from 32 on are the C library's own; what started the tests may have blocked them.
    assert [mask & 0x7FFFFFFF for mask in masks] == [0, 0]
