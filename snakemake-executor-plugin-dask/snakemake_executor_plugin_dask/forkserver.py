"""The worker's end of the fork server (`server.py`): start it, give it jobs, wait for them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from .server import KEEP_MEMORY, kill_session

# What is preloaded may be compiled first, by many servers at once on as many nodes.
START_SECONDS = 300.0
# Of what a job prints, so much goes to the console (the log, if the rule has one, gets it all).
CONSOLE_BYTES = 4 * 2**20

# The server must stay single-threaded: pools of threads don't survive a fork.
SINGLE_THREADED = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}


class ServerLostError(RuntimeError):
    """The fork server is gone, and with it the jobs it ran."""


@dataclass
class Exit:
    """How a job's process ended. A negative status is the number of a signal."""

    status: int
    report: dict[str, Any]
    stdout: bytes = b""
    stderr: bytes = b""
    cpu: float = 0.0
    max_rss: int = 0
    read: int = 0
    written: int = 0
    timed_out: bool = False
    cancelled: bool = False


@dataclass
class Running:
    """A job that was given to the server."""

    pid: Future[int] = field(default_factory=Future)
    end: Future[dict[str, Any]] = field(default_factory=Future)
    cancelled: bool = False


class ForkServer:
    """Starts a fork server and runs jobs in it, from as many threads as there are jobs."""

    def __init__(self, preload: Sequence[str], environment: dict[str, str]) -> None:
        self.running: dict[str, Running] = {}
        # Set before its jobs hear of it: each of them then asks for another server.
        self.lost = False
        self.withdrawn: set[str] = set()
        self.lock = threading.Lock()
        self.control, remote = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-P", "-m", f"{__package__}.server"]
        with remote:
            self.process = subprocess.Popen(
                [*command, str(remote.fileno()), json.dumps(list(preload))],
                pass_fds=[remote.fileno()],
                stdin=subprocess.DEVNULL,
                env=KEEP_MEMORY | os.environ | environment | SINGLE_THREADED,
                start_new_session=True,
            )
        # The number of its threads, once it is ready: one, unless a preloaded module starts some.
        self.ready: Future[int] = Future()
        threading.Thread(target=self._listen, daemon=True, name="forkserver").start()

    def run(
        self,
        name: str,
        payload: bytes,
        ledger: str | None,
        log: Path | None = None,
        time_limit: float | None = None,
        iteration: int | None = None,
        on_start: Callable[[int], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext,
    ) -> Exit:
        """Run a job and wait for its end.

        `on_start` gets the process's id and gives a context in which it is waited for.
        With a `log`, what the job prints is appended to it, else it is returned.
        """
        self.ready.result(START_SECONDS)
        job = Running()
        with contextlib.ExitStack() as stack:
            payload_file, stdout, report = (stack.enter_context(_scratch()) for _ in range(3))
            stderr = stdout if log else stack.enter_context(_scratch())
            payload_file.write(payload)
            payload_file.flush()
            payload_file.seek(0)
            files = (payload_file, stdout, stderr, report)
            request = {"id": name, "ledger": ledger, "iteration": iteration}
            with self.lock:
                if name in self.withdrawn:
                    return Exit(-signal.SIGKILL, {}, cancelled=True)
                if self.lost:
                    raise ServerLostError("the fork server is gone")
                self.running[name] = job
                try:
                    socket.send_fds(
                        self.control, [json.dumps(request).encode()], [f.fileno() for f in files]
                    )
                except OSError as error:
                    self.lost = True
                    del self.running[name]
                    raise ServerLostError("the fork server is gone") from error
            pid = job.pid.result()
            timed_out = False
            with on_start(pid):
                try:
                    end = job.end.result(time_limit)
                except FutureTimeoutError:
                    timed_out = True
                    self.kill(name, cancel=False)
                    end = job.end.result()
            report.seek(0)
            text = report.read()
            exit_ = Exit(
                status=end["status"],
                report=json.loads(text) if text else {},
                cpu=end["cpu"],
                max_rss=end["max_rss"],
                read=end["io"][0],
                written=end["io"][1],
                timed_out=timed_out,
                cancelled=job.cancelled,
            )
            if log:
                _append(stdout, log)
            else:
                exit_.stdout, exit_.stderr = _tail(stdout), _tail(stderr)
            return exit_

    def kill(self, name: str, cancel: bool = True) -> None:
        """End a job with all its processes, if it still runs, or before it begins."""
        with self.lock:
            if cancel:
                self.withdrawn.add(name)
            if job := self.running.get(name):
                job.cancelled = cancel
                with contextlib.suppress(OSError):
                    self.control.send(json.dumps({"kill": name}).encode())

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
            running, self.running = self.running, {}
        for job in running.values():
            # Jobs die with their server; what they had started themselves doesn't.
            if job.pid.done() and not job.pid.exception():
                kill_session(job.pid.result())
            else:
                job.pid.set_exception(error)
            job.end.set_exception(error)
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            self.process.wait(10)
            return
        self.process.send_signal(signal.SIGKILL)

    def _hear(self, message: dict[str, Any]) -> None:
        if "ready" in message:
            self.ready.set_result(message["threads"])
            return
        with self.lock:
            job = self.running.get(message["id"])
            if job and "pid" not in message:
                del self.running[message["id"]]
        if job is None:
            return
        if "pid" in message:
            job.pid.set_result(message["pid"])
        elif "error" in message:
            job.pid.set_exception(ServerLostError(message["error"]))
        else:
            job.end.set_result(message)


def _scratch() -> IO[bytes]:
    return tempfile.TemporaryFile(buffering=-1)


def _append(printed: IO[bytes], log: Path) -> None:
    printed.seek(0, os.SEEK_END)
    if printed.tell():
        printed.seek(0)
        with log.open("ab") as file:
            shutil.copyfileobj(printed, file)


def _tail(printed: IO[bytes]) -> bytes:
    size = printed.seek(0, os.SEEK_END)
    printed.seek(max(0, size - CONSOLE_BYTES))
    note = f"[{size - CONSOLE_BYTES} bytes left out]\n".encode() if size > CONSOLE_BYTES else b""
    return note + printed.read()
