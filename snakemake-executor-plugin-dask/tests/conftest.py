"""Snakemake on the command line, in folders of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

TIMEOUT = 90


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

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.mkdir(parents=True, exist_ok=True)
        self.processes: list[subprocess.Popen[str]] = []

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def read(self, name: str) -> str:
        return (self.path / name).read_text()

    def exists(self, name: str) -> bool:
        return (self.path / name).exists()

    def start(self, *arguments: str, executor: str = "dask", **env: str) -> subprocess.Popen[str]:
        """Start Snakemake, in a session of its own as a terminal would."""
        jobs = ["-j", "1000"] if executor == "dask" else ["--cores", "2"]
        if executor == "dask" and not any(a.startswith("--dask-cluster") for a in arguments):
            jobs += ["--dask-threads", "2"]
        command = ["timeout", "-k", "5", str(TIMEOUT), sys.executable, "-m", "snakemake"]
        command += ["--executor", executor, *jobs, "--scheduler", "greedy", "--nocolor"]
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=self.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | env,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def run(self, *arguments: str, executor: str = "dask", **env: str) -> Run:
        return self.finish(self.start(*arguments, executor=executor, **env))

    def finish(self, process: subprocess.Popen[str]) -> Run:
        stdout, stderr = process.communicate(timeout=TIMEOUT + 10)
        return Run(process.returncode, stdout, stderr)

    def main(self, process: subprocess.Popen[str]) -> psutil.Process:
        """Snakemake itself, below `timeout`, which may still have to start it."""
        timeout = psutil.Process(process.pid)
        self.wait_for(timeout.children)
        [main] = timeout.children()
        return main

    def wait_for(self, condition: Callable[[], object], seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)

    def node(self, process: subprocess.Popen[str], role: str) -> int | None:
        """The process of the local cluster's worker or scheduler, once it is there."""
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if f"clusters.node {role}" in " ".join(child.cmdline()):
                    return child.pid
        return None

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
                process.wait()


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


def check_same_files(
    tmp_path: Path, workflow: dict[str, str], *arguments: str, **env: str
) -> dict[str, bytes]:
    """Compare what a workflow writes with what the local executor does. Returns its files.

    In one folder, one after the other, so that paths in the files are the same, too.
    """
    ways: dict[str, tuple[str, list[str]]] = {
        "local": ("local", []),
        "forks": ("dask", ["--dask-jobs-per-process", "1"]),
        "kept processes": ("dask", ["--dask-jobs-per-process", "1000"]),
    }
    outputs = {}
    for way, (executor, more) in ways.items():
        project = Project(tmp_path / "project")
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


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path / "project")
    yield project
    project.close()
