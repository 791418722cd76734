"""The scheduler plugin: it selects what Snakemake's greedy one does, sooner."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from logging import getLogger
from typing import Any

import pytest
from conftest import Project
from snakemake.scheduling import greedy

from snakemake_scheduler_plugin_dask import Scheduler


@dataclass(frozen=True)
class File:
    """What schedulers look at of a job's input."""

    name: str
    temporary: bool

    def is_flagged(self, flag: str) -> bool:
        assert flag == "temp"
        return self.temporary


@dataclass(eq=False)
class Job:
    """What schedulers look at of a job."""

    name: str
    priority: int = 0
    scheduler_resources: Mapping[str, int] = field(default_factory=lambda: {"_cores": 1})
    input: Sequence[File] = ()


def selected(
    scheduler: Any, jobs: list[Job], resources: dict[str, int], sizes: dict[File, int | None]
) -> list[str]:
    return [job.name for job in scheduler.select_jobs(jobs, jobs, resources, sizes)]


@pytest.mark.parametrize("seed", range(40))
def test_selects_what_greedy_does(seed: int) -> None:
    draw = random.Random(seed)
    files = [File(f"f{i}", draw.random() < 0.3) for i in range(20)]
    sizes = {file: draw.choice([None, 0, draw.randrange(5000)]) for file in files}
    names = ("_cores", "_nodes", "mem_mb", "licence")
    jobs = [
        Job(
            f"j{i}",
            draw.choice([0, 0, 0, 5, draw.randrange(9)]),
            {"_cores": draw.randrange(1, 5)}
            | {name: draw.randrange(4) for name in names[1:] if draw.random() < 0.6},
            draw.sample(files, draw.randrange(4)),
        )
        for i in range(draw.randrange(1, 40))
    ]
    resources = {name: draw.choice([sys.maxsize, draw.randrange(30)]) for name in names}
    theirs = greedy.Scheduler(None, greedy.SchedulerSettings(), getLogger())
    ours = selected(Scheduler(None, None, getLogger()), jobs, resources, sizes)
    assert sorted(ours) == sorted(selected(theirs, jobs, resources, sizes))
    ranks = [j.priority for name in ours for j in jobs if j.name == name]
    assert ranks == sorted(ranks, reverse=True)


def test_looks_at_each_job_once() -> None:
    looks = 0

    class Counted(dict[str, int]):
        def get(self, name: str, default: int = 0) -> int:  # type: ignore[override]
            nonlocal looks
            looks += 1
            return super().get(name, default)

    jobs = [Job(f"j{i}", 0, Counted(_cores=1)) for i in range(3000)]
    scheduler = Scheduler(None, None, getLogger())
    assert len(selected(scheduler, jobs, {"_cores": 5000, "_nodes": 9999}, {})) == 3000
    assert looks == 2 * 3000


def test_a_run_keeps_to_its_resources(project: Project) -> None:
    project.write(
        "Snakefile",
        """
        rule all:
            input: expand("{i}.txt", i=range(6))
        rule one:
            output: "{i}.txt"
            resources: licence=2
            priority: lambda wildcards: int(wildcards.i)
            script: "one.py"
        """,
    )
    project.write(
        "one.py",
        """
        import time
        began = time.time()
        time.sleep(0.2)
        open(snakemake.output[0], "w").write(f"{began} {time.time()}")
        """,
    )
    run = project.run("--resources", "licence=3")
    assert run.code == 0, run.text
    spans = sorted(tuple(map(float, project.read(f"{i}.txt").split())) for i in range(6))
    assert all(end < begin for (_, end), (begin, _) in pairwise(spans))
    assert project.read("5.txt").split()[0] == str(spans[0][0])
