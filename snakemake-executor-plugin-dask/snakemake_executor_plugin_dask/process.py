"""The worker's view of a process that runs jobs (`child.py` is the process's own)."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import socket
import tempfile
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

# Of what a job prints, so much goes to the console (the log, if the rule has one, gets it all).
CONSOLE_BYTES = 4 * 2**20
# How often the log of a running job gets what the job has printed.
FOLLOW_SECONDS = 1.0


@dataclass
class Exit:
    """How a job ended. A negative status is the number of a signal."""

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


class Process:
    """A fork of the server. It takes one job after another, until it ends or is closed."""

    def __init__(self, name: str, key: str | None, control: socket.socket) -> None:
        self.name = name
        self.key = key
        self.control = control
        self.jobs = 0
        self.cancelled = False
        # Set by whoever listens to the server.
        self.pid: Future[int] = Future()
        self.end: Future[dict[str, Any]] = Future()
        self.stdout, self.stderr = _scratch(), _scratch()
        # In memory: it tells of a disk that is full.
        self.report: IO[bytes] = io.FileIO(os.memfd_create("report"), "r+")
        # What former jobs have used of what the server will say of the whole process.
        self.cpu, self.read, self.written = 0.0, 0, 0

    def start(self) -> None:
        """Ask the server for the fork. Raises OSError if the server is gone."""
        self.socket, theirs = socket.socketpair()
        self.connection = Connection(os.dup(self.socket.fileno()))
        # Its end alone doesn't close the connection: what it has started may have inherited it.
        self.end.add_done_callback(self._hang_up)
        with theirs:
            fds = [theirs.fileno(), *(f.fileno() for f in (self.stdout, self.stderr, self.report))]
            socket.send_fds(self.control, [json.dumps({"fork": self.name}).encode()], fds)

    def run(
        self, request: dict[str, Any], payload: bytes, log: Path | None, time_limit: float | None
    ) -> Exit | None:
        """Have a job run, and wait for its end. None if it hasn't begun: ask another process.

        With a `log`, what the job prints is appended to it, else it is returned.
        """
        self.jobs += 1
        message = {**request, "merge": log is not None}
        messages = [json.dumps(message).encode(), payload]
        if log is None:
            exit_ = self._run(messages, time_limit, None)
            if exit_:
                exit_.stdout, exit_.stderr = tail(self.stdout), tail(self.stderr)
                _empty(self.stdout)
                _empty(self.stderr)
            return exit_
        follower = Follower(self.stdout, log)
        try:
            return self._run(messages, time_limit, follower)
        finally:
            # Also when the process was lost with its server.
            try:
                follower.finish()
            finally:
                _empty(self.stdout)

    def _run(
        self, messages: list[bytes], time_limit: float | None, follower: Follower | None
    ) -> Exit | None:
        began = time.monotonic()
        if reply := self._reply(messages, time_limit, follower):
            used, report = reply
            exit_ = Exit(0, report, max_rss=used["max_rss"])
            exit_.cpu, (exit_.read, exit_.written) = used["cpu"], used["io"]
            self.cpu += exit_.cpu
            self.read += exit_.read
            self.written += exit_.written
        else:
            left = None if time_limit is None else began + time_limit - time.monotonic()
            end, timed_out = self._wait(left)
            if self.jobs > 1 and end["idle"]:
                return None
            exit_ = Exit(end["status"], self._final_report(), max_rss=end["max_rss"])
            exit_.cpu = end["cpu"] - self.cpu
            exit_.read, exit_.written = end["io"][0] - self.read, end["io"][1] - self.written
            exit_.timed_out, exit_.cancelled = timed_out, self.cancelled
        return exit_

    @property
    def alive(self) -> bool:
        """Whether it has not ended, as far as is known."""
        return not self.end.done()

    def kill(self) -> None:
        """End it, with all that it has started."""
        self.control.send(json.dumps({"kill": self.name}).encode())

    def close(self) -> None:
        """Let it end when its job has."""
        self.connection.close()
        self.socket.close()
        for file in (self.stdout, self.stderr, self.report):
            file.close()

    def _hang_up(self, _: Future[dict[str, Any]]) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def _reply(
        self, messages: list[bytes], time_limit: float | None, follower: Follower | None
    ) -> tuple[Any, Any] | None:
        """Return what a process says that will take another job; None if it won't say any more."""
        try:
            for message in messages:
                self.connection.send_bytes(message)
            if follower or time_limit is not None:
                left = math.inf if time_limit is None else time_limit
                deadline = time.monotonic() + left
                while not self.connection.poll(min(left, FOLLOW_SECONDS)):
                    if (left := deadline - time.monotonic()) <= 0:
                        return None
                    if follower:
                        follower.follow()
            used, report = (json.loads(self.connection.recv_bytes()) for _ in range(2))
            return used, report
        except (EOFError, OSError):
            return None

    def _wait(self, seconds: float | None) -> tuple[dict[str, Any], bool]:
        """Wait for the process's end. Returns it, and whether it had to be killed for that."""
        try:
            return self.end.result(seconds), False
        except FutureTimeoutError:
            self.kill()
            return self.end.result(), True

    def _final_report(self) -> dict[str, Any]:
        self.report.seek(0)
        text = self.report.read()
        report: dict[str, Any] = json.loads(text) if text else {}
        return report


class Follower:
    """Appends to a log what a job prints, also while the job runs.

    Not as long as the script itself seems to write the log: then what is printed comes below.
    """

    def __init__(self, printed: IO[bytes], log: Path) -> None:
        self.printed = printed
        self.log = log
        self.before = self._log_size() or 0
        self.copied = 0

    def follow(self) -> None:
        """Append what is new."""
        with contextlib.suppress(OSError):
            if self._is_ours():
                self._append(self.copied)

    def finish(self) -> None:
        """Append what isn't there yet. Raises OSError if that isn't possible."""
        if _size(self.printed) > 0:
            self._append(self.copied if self._is_ours() or self._is_there() else 0)

    def _log_size(self) -> int | None:
        try:
            return self.log.stat().st_size
        except FileNotFoundError:
            return None

    def _is_ours(self) -> bool:
        """Whether the log is as this object has left it. An empty one may be open in the script."""
        return self._log_size() == (self.before + self.copied or None)

    def _is_there(self) -> bool:
        """Whether the end of what was copied is where it was put."""
        count = min(self.copied, 4096)
        with contextlib.suppress(OSError), self.log.open("rb") as file:
            there = os.pread(file.fileno(), count, self.before + self.copied - count)
            return there == os.pread(self.printed.fileno(), count, self.copied - count)
        return False

    def _append(self, start: int) -> None:
        # Not by seeking: the process writes where its file object stands, which is this one's too.
        if start < _size(self.printed):
            with self.log.open("ab", buffering=0) as file:
                while chunk := os.pread(self.printed.fileno(), 2**20, start):
                    start += file.write(chunk)
            self.copied = start


def _scratch() -> IO[bytes]:
    return tempfile.TemporaryFile(buffering=0)


def _size(printed: IO[bytes]) -> int:
    return os.fstat(printed.fileno()).st_size


def _empty(printed: IO[bytes]) -> None:
    if _size(printed):
        # The process writes where this file object stands: they share the position.
        printed.seek(0)
        printed.truncate()


def tail(printed: IO[bytes]) -> bytes:
    """Return the end of a file, with a note if it isn't all."""
    if not (size := _size(printed)):
        return b""
    printed.seek(max(0, size - CONSOLE_BYTES))
    note = f"[{size - CONSOLE_BYTES} bytes left out]\n".encode() if size > CONSOLE_BYTES else b""
    return note + printed.read()
