"""The fork server: a warm, single-threaded interpreter that forks the processes of jobs.

    python -m snakemake_executor_plugin_dask.server FD '["numpy", "pandas"]'

The Dask worker starts one, asks it over a socket for processes, and is told how each ended. The
server itself never runs code of the workflow, so a fork of it is a fresh process in all respects
but one: the preloaded modules are there already. What a process is to do, the worker tells it over
a connection of its own (see child.py).

All that a job starts ends with its process. They share a session, which is killed when its first
process is gone (after a short grace, so that a trailing ``tee`` can finish its log), when the job
is cancelled, and when the other end of the socket closes because the Dask worker has died.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import json
import mmap
import os
import resource
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from . import child, ledger

GRACE_SECONDS = 1.0
# A path and its end.
NOTE_BYTES = 8192
PR_SET_CHILD_SUBREAPER = 36
# What a job frees is kept for what it allocates next, and large blocks come in large pages. By
# default they go back to the system, which clears each small page again: half of the time of a job
# that works on frames. Arrow shall use the same memory as the rest.
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}


@dataclass
class Forked:
    """A process, and the memory it shares with this one."""

    name: str
    note: mmap.mmap

    @property
    def ledger(self) -> str:
        """The ledger of the job that runs in it, if one does (see `ledger.NONE`)."""
        return self.note[: self.note.find(b"\0")].decode()


class Server:
    """Forks jobs, reaps them, reports to the worker."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.processes: dict[int, Forked] = {}
        self.lingering: dict[int, float] = {}
        self.wakeup, wakeup_end = socket.socketpair()
        for end in (self.wakeup, wakeup_end):
            end.setblocking(False)
        self.wakeup_end = wakeup_end
        signal.set_wakeup_fd(wakeup_end.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Answer requests until the worker is gone; then end every job that still runs."""
        # Not `select`, which knows only the first 1024 descriptors: a worker may have more.
        poll = select.poll()
        for end in (self.control, self.wakeup):
            poll.register(end, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll(20 if self.lingering else None)}
            if self.wakeup.fileno() in ready:
                with contextlib.suppress(BlockingIOError):
                    self.wakeup.recv(4096)
            self.reap()
            if self.control.fileno() in ready and not self.answer():
                break
        for pid in list(self.processes):
            kill_fork(pid)
        deadline = time.monotonic() + 5
        while self.processes and time.monotonic() < deadline:
            self.reap(grace=0)
            time.sleep(0.01)
        for pid in children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def answer(self) -> bool:
        """Take one request. False when the worker has closed its end."""
        try:
            message, ancillary, _, _ = self.control.recvmsg(65536, socket.CMSG_LEN(4 * 4))
        except ConnectionError:
            return False
        if not message:
            return False
        fds = array.array("i")
        for _, _, data in ancillary:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        request = json.loads(message)
        if "kill" in request:
            for pid, process in self.processes.items():
                if process.name == request["kill"]:
                    kill_fork(pid)
        elif "environment" in request:
            self.set_up(request["environment"], request["open_files"])
        else:
            self.fork(request["fork"], list(fds))
        return True

    @staticmethod
    def set_up(environment: dict[str, str], open_files: int | None) -> None:
        """Take what processes are to inherit."""
        os.environ |= environment
        # The worker may have raised its own.
        if open_files is not None:
            _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, most))

    def fork(self, name: str, fds: list[int]) -> None:
        """Start a process."""
        note = mmap.mmap(-1, NOTE_BYTES)
        try:
            pid = os.fork()
        except OSError as error:
            self.report({"id": name, "error": f"could not fork: {error}"})
        else:
            if pid == 0:
                child.main(fds, note, close=[self.control, self.wakeup, self.wakeup_end])
            self.processes[pid] = Forked(name, note)
            self.report({"id": name, "pid": pid})
        finally:
            for fd in fds:
                os.close(fd)

    def reap(self, grace: float = GRACE_SECONDS) -> None:
        """Report the jobs that have ended."""
        now = time.monotonic()
        for pid in ended_children():
            if pid not in self.processes:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)  # left behind by a job, and ours by adoption
                continue
            deadline = self.lingering.setdefault(pid, now + grace)
            if survivors(pid):
                if now < deadline:
                    continue
                ledger.kill_session(pid)
            self.lingering.pop(pid)
            process = self.processes.pop(pid)
            io = ledger.bytes_read_and_written(pid)
            _, status, usage = os.wait4(pid, 0)
            code = os.waitstatus_to_exitcode(status)
            path = process.ledger
            if path not in ("", ledger.NONE):
                with contextlib.suppress(OSError):
                    ledger.record_end(path, code)
            self.report(
                {
                    "id": process.name,
                    "idle": not path,
                    "status": code,
                    "cpu": usage.ru_utime + usage.ru_stime,
                    "max_rss": usage.ru_maxrss * 1024,
                    "io": io,
                }
            )

    def report(self, message: dict[str, Any]) -> None:
        """Tell the worker. That it has died is noticed when reading."""
        with contextlib.suppress(ConnectionError):
            self.control.send(json.dumps(message).encode())


def ended_children() -> list[int]:
    """Return the children that have ended and still wait to be reaped."""
    ended = []
    for pid in children():
        with contextlib.suppress(ChildProcessError):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
                ended.append(pid)
    return ended


def children() -> list[int]:
    """Return the direct children, those adopted from dead jobs included."""
    me = os.getpid()
    return [int(pid) for pid in ledger.read_proc(f"/proc/self/task/{me}/children").split()]


def survivors(leader: int) -> list[int]:
    """Return the living processes of a job whose first process has ended."""
    alive = []
    for pid in children():
        if pid != leader:
            with contextlib.suppress(OSError):
                if os.getsid(pid) == leader and ledger.start_time(pid):
                    alive.append(pid)
    return alive


def kill_fork(pid: int) -> None:
    """Kill a child that isn't reaped yet, with its session, which a new one has yet to make."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    ledger.kill_session(pid)


def preload(modules: list[str]) -> dict[str, str]:
    """Import what jobs are likely to need. Returns what can't be imported, and why."""
    failed = {}
    for name in modules:
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as error:
            failed[name] = f"{type(error).__name__}: {error}"
    # The children's garbage collector shall not write into the pages they share with the server.
    gc.collect()
    gc.freeze()
    gc.disable()
    return failed


def main() -> NoReturn:
    """Serve until the worker is gone."""
    # Ctrl-C and SIGTERM are for the main process to handle, which then ends the worker.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # The C library has read these when this process started; they aren't for what jobs start.
    for name, value in KEEP_MEMORY.items():
        if os.environ[name] == value:
            del os.environ[name]
    child.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    failed = preload(json.loads(sys.argv[2]))
    control = socket.socket(fileno=int(sys.argv[1]))
    server = Server(control)
    threads = len(list(Path("/proc/self/task").iterdir()))
    server.report({"ready": os.getpid(), "threads": threads, "failed": failed})
    server.serve()
    os._exit(0)


if __name__ == "__main__":
    main()
