"""Jobs with a benchmark, once and repeated."""

from __future__ import annotations

import signal

from conftest import Project


def test_benchmark(project: Project) -> None:
    project.write(
        "Snakefile",
        """
        rule all:
            input: "script.txt", "shell.txt"
        rule script:
            output: "script.txt"
            benchmark: repeat("script.tsv", 3)
            script: "one.py"
        rule shell:
            output: "shell.txt"
            benchmark: "shell.tsv"
            shell: "sleep 0.6; echo x > {output}"
        """,
    )
    project.write(
        "one.py",
        """
        import time
        block = bytearray(50_000_000)
        time.sleep(0.6)
        with open("iterations", "a") as file:
            print(snakemake.bench_iteration, file=file)
        open(snakemake.output[0], "w")
        """,
    )
    run = project.run()
    assert run.code == 0, run.text
    header, *rows = [line.split("\t") for line in project.read("script.tsv").splitlines()]
    assert len(rows) == 3
    for row in rows:
        record = dict(zip(header, row, strict=True))
        assert 0.6 <= float(record["s"]) < 3
        assert 50 < float(record["max_rss"]) < 1000
    assert project.read("iterations").split() == ["0", "1", "2"]
    assert len(project.read("shell.tsv").splitlines()) == 2


def test_stop_between_the_repeats_of_a_benchmark(project: Project) -> None:
    project.write(
        "Snakefile",
        """
        rule one:
            output: "one.txt"
            benchmark: repeat("one.tsv", 3)
            script: "one.py"
        """,
    )
    project.write(
        "one.py",
        """
        import time
        with open("iterations", "a") as file:
            print(snakemake.bench_iteration, file=file)
        with open(snakemake.output[0], "w") as file:
            print("half", file=file, flush=True)
            time.sleep(1)
            print("whole", file=file)
        """,
    )
    process = project.start()
    project.wait_for(lambda: project.exists("iterations"))
    project.main(process).send_signal(signal.SIGINT)
    project.finish(process)
    assert project.read("iterations").split() == ["0", "1", "2"]
    assert project.read("one.txt") == "half\nwhole\n"
    assert len(project.read("one.tsv").splitlines()) == 4
