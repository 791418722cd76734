"""A Slurm for all tests, and folders with a workflow of many short jobs."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml
from conftest import zygote
from zygote import Process

from .daemons import SITE, Slurm, missing_daemons

MANY = """
rule all:
    input: expand("out/{i}.txt", i=range(config.get("count", 100)))
rule one:
    output: "out/{i}.txt"
    threads: 1
    resources: mem_mb=100
    script: "one.py"
"""
# Each start and end is noted, so that a job that ran twice is seen.
ONE = """
import os, time
def note(what):
    fd = os.open("notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    node = os.environ.get("SLURMD_NODENAME")
    os.write(fd, f"{what} {snakemake.wildcards.i} {node}\\n".encode())
    os.close(fd)
note("start")
with open(snakemake.output[0], "w") as file:
    file.write("half")
    file.flush()
    longest = snakemake.config.get("longest") if snakemake.wildcards.i == "0" else None
    time.sleep(longest or snakemake.config.get("seconds", 0.3))
    file.write(" whole")
note("end")
"""
JOBQUEUE = {"cores": 2, "memory": "2GB", "processes": 1, "queue": "tcourt_intra"}


class Project:
    """A folder with a workflow, and runs of it on Slurm."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.mkdir(parents=True)
        (path / "Snakefile").write_text(MANY)
        (path / "one.py").write_text(ONE)
        self.configure()
        self.processes: list[Process] = []

    def configure(self, **values: object) -> None:
        """Write the jobqueue.yaml."""
        content = JOBQUEUE | {name.replace("_", "-"): value for name, value in values.items()}
        text = yaml.safe_dump({"jobqueue": {"slurm": content}})
        (self.path / "jobqueue.yaml").write_text(text)

    def start(self, *arguments: str, workers: str = "2", **env: str) -> Process:
        """Start Snakemake, in a session of its own as a terminal would."""
        command = ["--executor", "dask", "--dask-cluster", "slurm", "--dask-workers", workers]
        command += ["--dask-config", "jobqueue.yaml", "--jobs", "10000", "--nocolor"]
        return self.snakemake(*command, *arguments, **env)

    def snakemake(self, *arguments: str, **env: str) -> Process:
        """Start it with these arguments only; what it prints replaces what the last one did."""
        printed = self.path / "printed"
        printed.write_text("")
        process = zygote().start(
            *("snakemake", "--scheduler", "dask", *arguments),
            cwd=self.path,
            env=os.environ | env,
            stdout=printed,
            stderr=printed,
        )
        self.processes.append(process)
        return process

    def run(self, *arguments: str, workers: str = "2", **env: str) -> int:
        return self.start(*arguments, workers=workers, **env).wait()

    @property
    def printed(self) -> str:
        return (self.path / "printed").read_text()

    def notes(self, what: str) -> list[str]:
        """The jobs that have started or ended."""
        return [name for kind, name, _ in self._notes() if kind == what]

    def nodes(self) -> set[str]:
        """Where jobs ran."""
        return {node for _, _, node in self._notes()}

    def _notes(self) -> list[list[str]]:
        file = self.path / "notes"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.split() for line in lines]

    def check(self, count: int, lost: int = 0) -> None:
        """Every file is whole; only so many jobs as can have been lost ran again."""
        for i in range(count):
            assert (self.path / f"out/{i}.txt").read_text() == "half whole"
        assert set(self.notes("end")) == {str(i) for i in range(count)}
        assert count <= len(self.notes("start")) <= count + lost

    def main(self, process: Process) -> psutil.Process:
        """Snakemake itself, without what it has started."""
        return psutil.Process(process.pid)

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def commands(text: str, project: Project) -> list[psutil.Process]:
    """The processes of a run with this in their command line."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if text in " ".join(process.cmdline()) and process.cwd() == str(project.path):
                found.append(process)
    return found


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """Four nodes."""
    assert not (missing := missing_daemons()), f"not installed: {', '.join(missing)}"
    slurm = Slurm(tmp_path_factory.mktemp("slurm"))
    try:
        slurm.start()
        # One that was started before would not see it in /etc/slurm.
        zygote.cache_clear()
        yield slurm
    finally:
        slurm.stop()


@pytest.fixture
def project(slurm: Slurm, tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path / "project")
    yield project
    project.close()


@pytest.fixture
def site(slurm: Slurm) -> None:
    """The tests' Slurm as that of this machine: jobs of snakemake-executor-plugin-slurm look for
    no other.
    """
    assert slurm.conf.samefile(SITE / "slurm.conf"), "only root can have it there"
