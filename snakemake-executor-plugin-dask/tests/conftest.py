"""Snakemake on the command line, in folders of its own."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client
from zygote import Process, Zygote

TIMEOUT = 90

Check = Callable[..., dict[str, bytes]]


@dataclass
class Run:
    """A finished run of Snakemake."""

    code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout + self.stderr


class Project:
    """A folder with a workflow."""

    def __init__(self, path: Path, zygote: Zygote) -> None:
        self.path = path
        self.path.mkdir(parents=True, exist_ok=True)
        self.zygote = zygote
        self.processes: list[Process] = []

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def read(self, name: str) -> str:
        return (self.path / name).read_text()

    def exists(self, name: str) -> bool:
        return (self.path / name).exists()

    def holds(self, name: str, text: str) -> bool:
        return self.exists(name) and self.read(name) == text

    def start(self, *arguments: str, executor: str = "dask", **env: str) -> Process:
        """Start Snakemake, in a session of its own as a terminal would."""
        jobs = ["-j", "1000"] if executor == "dask" else ["--cores", "2"]
        scheduler = "dask" if executor == "dask" else "greedy"
        if executor == "dask" and not any(a.startswith("--dask-cluster") for a in arguments):
            jobs += ["--dask-threads", "2"]
        command = ["--executor", executor, *jobs, "--scheduler", scheduler, "--nocolor", *arguments]
        printed = self.path.with_name(f"{self.path.name}.{len(self.processes)}")
        process = self.zygote.start(
            *("snakemake", *command),
            cwd=self.path,
            env=os.environ | env,
            stdout=printed.with_suffix(".stdout"),
            stderr=printed.with_suffix(".stderr"),
        )
        self.processes.append(process)
        return process

    def run(self, *arguments: str, executor: str = "dask", **env: str) -> Run:
        return self.finish(self.start(*arguments, executor=executor, **env))

    def finish(self, process: Process) -> Run:
        """Wait for its end, and no longer than any run takes here."""
        code = process.wait(TIMEOUT)
        return Run(code, process.stdout.read_text(), process.stderr.read_text())

    def main(self, process: Process) -> psutil.Process:
        """Snakemake itself, without what it has started."""
        return psutil.Process(process.pid)

    def wait_for(self, condition: Callable[[], object], seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)

    def node(self, process: Process, role: str) -> int | None:
        """The process of the local cluster's worker or scheduler, once it is there."""
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                module = {"worker": "local_worker ", "scheduler": "node scheduler"}
                if f"clusters.{module[role]}" in " ".join(child.cmdline()):
                    return child.pid
        return None

    def records(self) -> list[dict[str, Any]]:
        """The jobs that a run with `--dask-records records` has recorded."""
        [file] = (self.path / "records").glob("*.jsonl")
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        return [line for line in lines if line["kind"] == "job"]

    def outputs(self) -> dict[str, bytes]:
        """All files but Snakemake's own."""
        return {
            str(path.relative_to(self.path)): path.read_bytes()
            for path in self.path.rglob("*")
            if path.is_file() and ".snakemake" not in path.parts
        }

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(TIMEOUT)


def gone(pids: list[int], seconds: float = 5.0) -> bool:
    """Whether the processes have ended, or do so within a moment: a signal takes its time."""
    deadline = time.monotonic() + seconds
    while alive := [pid for pid in pids if _runs(pid)]:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return not alive


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def abandoned_spaces() -> list[Path]:
    """Folders for handing over whose owner is gone; other tests may have living ones."""
    abandoned = []
    for path in Path("/dev/shm").glob("snakemake-dask-*"):
        with contextlib.suppress(OSError):
            with path.with_suffix(".lock").open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            abandoned.append(path)
    return abandoned


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """What runs of Snakemake are forked from."""
    # What Snakemake imports of others.
    zygote = Zygote("distributed", "docutils.parsers.rst", "jsonschema", "smart_open", "sqlmodel")
    yield zygote
    zygote.close()


@pytest.fixture
def project(tmp_path: Path, zygote: Zygote) -> Iterator[Project]:
    project = Project(tmp_path / "project", zygote)
    yield project
    project.close()


@pytest.fixture
def check_same_files(tmp_path: Path, zygote: Zygote) -> Check:
    """Compare what a workflow writes with what the local executor does. Returns its files.

    In one folder, one after the other, so that paths in the files are the same, too.
    """
    ways: dict[str, tuple[str, list[str]]] = {
        "local": ("local", []),
        "forks": ("dask", ["--dask-jobs-per-process", "1"]),
        "kept processes": ("dask", ["--dask-jobs-per-process", "1000"]),
    }

    def check(workflow: dict[str, str], *arguments: str, **env: str) -> dict[str, bytes]:
        outputs = {}
        for way, (executor, more) in ways.items():
            project = Project(tmp_path / "project", zygote)
            for file, text in workflow.items():
                project.write(file, text)
            run = project.run(*more, *arguments, executor=executor, **env)
            assert run.code == 0, run.text
            outputs[way] = project.outputs()
            project.close()
            (tmp_path / "project").rename(tmp_path / way)
        assert outputs["forks"] == outputs["kept processes"] == outputs["local"]
        assert len(outputs["local"]) > len(workflow)
        return outputs["local"]

    return check


class DaskCluster:
    """A scheduler and workers of one thread, started with Dask's own commands."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "scheduler.json"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.start("scheduler", "--port", "0", "--no-dashboard")

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", *arguments, "--host", "127.0.0.1"]
        command += ["--scheduler-file", str(self.file)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def worker(self, *arguments: str) -> subprocess.Popen[bytes]:
        return self.start("worker", "--no-dashboard", "--no-nanny", "--nthreads", "1", *arguments)

    def is_up(self) -> bool:
        return self.file.exists() and self.file.read_text().endswith("}")

    def wait_for_workers(self, count: int) -> None:
        with Client(self.address) as client:
            client.wait_for_workers(count, timeout=60)

    @property
    def address(self) -> str:
        return str(json.loads(self.file.read_text())["address"])

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def cluster(project: Project) -> Iterator[DaskCluster]:
    cluster = DaskCluster(project.path)
    try:
        project.wait_for(cluster.is_up)
        yield cluster
    finally:
        cluster.close()
