"""The worker's end of the fork server (`server.py`): start it, give it jobs, wait for them."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from .ledger import kill_session
from .process import Exit, Process
from .server import KEEP_MEMORY

# What is preloaded may be compiled first, by many servers at once on as many nodes.
START_SECONDS = 300.0

# The server must stay single-threaded: pools of threads don't survive a fork.
SINGLE_THREADED = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}


class ServerLostError(RuntimeError):
    """The fork server is gone, and with it the jobs it ran."""


class Launched(NamedTuple):
    """A server that has been started, and this end of the socket to it."""

    process: subprocess.Popen[bytes]
    control: socket.socket


# Those that were started before it was known what for, by what they preload.
_ahead: dict[tuple[str, ...], Launched] = {}


def launch(preload: Sequence[str]) -> Launched:
    """Start a server, which begins to import."""
    control, remote = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-P", "-m", f"{__package__}.server"]
    with remote:
        process = subprocess.Popen(
            [*command, str(remote.fileno()), json.dumps(list(preload))],
            pass_fds=[remote.fileno()],
            stdin=subprocess.DEVNULL,
            env=KEEP_MEMORY | os.environ | SINGLE_THREADED,
            start_new_session=True,
        )
    return Launched(process, control)


def launch_ahead(preload: Sequence[str]) -> None:
    """Start a server for the first `ForkServer` of this process that is to preload the same."""
    _ahead[tuple(preload)] = launch(preload)


@dataclass(frozen=True)
class Ready:
    """What a server says when it has preloaded: its threads, and why modules can't be imported.

    There is one thread, unless a preloaded module starts some.
    """

    threads: int
    failed: dict[str, str]


class ForkServer:
    """Starts a fork server and runs jobs in its forks, from as many threads as there are jobs.

    A process is used for `jobs_per_process` jobs of the same key, if they leave nothing behind;
    of those that wait for their next job there are at most `idle_processes`. Each may have as many
    `open_files` as this process, unless a number is given.
    """

    def __init__(
        self,
        preload: Sequence[str],
        environment: dict[str, str],
        jobs_per_process: int = 1,
        idle_processes: int = 1,
        open_files: int | None = None,
    ) -> None:
        self.jobs_per_process = jobs_per_process
        self.idle_processes = idle_processes
        self.idle: list[Process] = []
        self.processes: dict[str, Process] = {}
        # By the names of their jobs.
        self.running: dict[str, Process] = {}
        # Set before its jobs hear of it: each of them then asks for another server.
        self.lost = False
        self.withdrawn: set[str] = set()
        self.lock = threading.Lock()
        ahead = _ahead.pop(tuple(preload), None)
        self.process, self.control = ahead if ahead else launch(preload)
        # A server that is gone already is noticed below.
        with contextlib.suppress(OSError):
            setting = {"environment": environment, "open_files": open_files}
            self.control.send(json.dumps(setting).encode())
        self.ready: Future[Ready] = Future()
        threading.Thread(target=self._listen, daemon=True, name="forkserver").start()

    def run(
        self,
        name: str,
        payload: bytes,
        ledger: str | None,
        *,
        key: str | None = None,
        log: Path | None = None,
        folder: Path | None = None,
        time_limit: float | None = None,
        iteration: int | None = None,
        on_start: Callable[[int], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext,
    ) -> Exit:
        """Run a job and wait for its end.

        Jobs of the same `key` may share a process, one after the other. A `folder` is where the
        job runs, in place of the one its payload names. `on_start` gets the process's id and gives
        a context in which it is waited for.
        """
        self.ready.result(START_SECONDS)
        exit_: Exit | None = None
        while exit_ is None:
            with self.lock:
                if name in self.withdrawn:
                    return Exit(-signal.SIGKILL, {}, cancelled=True)
                if self.lost:
                    raise ServerLostError("the fork server is gone")
                process = self.running[name] = self._take(key)
            try:
                keep = key is not None and process.jobs + 1 < self.jobs_per_process
                request = {"ledger": ledger, "iteration": iteration, "keep": keep}
                request["folder"] = str(folder) if folder else None
                with on_start(process.pid.result()):
                    exit_ = process.run(request, payload, log, time_limit)
            finally:
                with self.lock:
                    del self.running[name]
                self._release(process)
        return exit_

    def _take(self, key: str | None) -> Process:
        """Return a process for a job: one that has run its like, or a new one."""
        for process in reversed(self.idle):
            if process.key == key:
                self.idle.remove(process)
                return process
        process = Process(secrets.token_hex(4), key, self.control)
        self.processes[process.name] = process
        try:
            process.start()
        except OSError as error:
            self.lost = True
            raise ServerLostError("the fork server is gone") from error
        return process

    def _release(self, process: Process) -> None:
        """Keep a process for its next job, or let it go."""
        if process.alive and process.jobs < self.jobs_per_process and process.key is not None:
            with self.lock:
                self.idle.append(process)
                surplus = self.idle[: -self.idle_processes]
                del self.idle[: -self.idle_processes]
        else:
            surplus = [process]
        for one in surplus:
            one.close()

    def kill(self, name: str) -> None:
        """End a job with all its processes, if it still runs, or before it begins."""
        with self.lock:
            self.withdrawn.add(name)
            if process := self.running.get(name):
                process.cancelled = True
                with contextlib.suppress(OSError):
                    process.kill()

    def kill_all(self) -> None:
        """End every job."""
        for name in list(self.running):
            self.kill(name)

    def close(self) -> None:
        """End the server and its jobs."""
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_RDWR)  # closing alone doesn't wake the reader
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
            return
        self.process.kill()

    def _listen(self) -> None:
        """Pass on what the server says, until it is gone."""
        with contextlib.suppress(OSError):
            while message := self.control.recv(65536):
                self._hear(json.loads(message))
        error = ServerLostError("the fork server is gone")
        self.lost = True
        if not self.ready.done():
            self.ready.set_exception(error)
        with self.lock:
            processes, self.processes = self.processes, {}
            idle, self.idle = self.idle, []
        for process in processes.values():
            # Processes die with their server; what they had started themselves doesn't.
            if process.pid.done() and not process.pid.exception():
                kill_session(process.pid.result())
            _fail(process, error)
        for process in idle:
            process.close()
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            self.process.wait(10)
            return
        self.process.send_signal(signal.SIGKILL)

    def _hear(self, message: dict[str, Any]) -> None:
        if "ready" in message:
            self.ready.set_result(Ready(message["threads"], message["failed"]))
            return
        with self.lock:
            process = self.processes.get(message["id"])
            if process and "pid" not in message:
                del self.processes[message["id"]]
        if process is None:
            return
        if "pid" in message:
            process.pid.set_result(message["pid"])
        elif "error" in message:
            _fail(process, ServerLostError(message["error"]))
        else:
            process.end.set_result(message)


def _fail(process: Process, error: Exception) -> None:
    for future in (process.pid, process.end):
        if not future.done():
            future.set_exception(error)
