"""One small file for each unfinished job, which tells every attempt to run it of the others.

Dask runs a task again when its worker is lost, even if the task had ended and only its result was
lost with the worker. The ledger makes that safe: a job that has ended well isn't run again, and
two attempts never write the same output at once. A file has a line for each start and each end:

    start <host> <pid> <start time of the process> <time>
    end <exit code>

One that is there without a start keeps the job from beginning: it has been withdrawn. A ledger is
kept on the file system that all workers share, and only appended to.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# A worker that can't reach the scheduler for this long has killed its jobs (see worker.py), so an
# attempt elsewhere that has waited so long is alone.
LEASE_SECONDS = 30.0
# What stands for the path of a job that has no such file.
NONE = "-"


@dataclass(frozen=True)
class Start:
    """A start that has no end: of a job that was lost, or is running still."""

    host: str
    pid: int
    start_time: int


@dataclass(frozen=True)
class Record:
    """What a ledger file says."""

    starts: int = 0
    codes: tuple[int, ...] = ()
    open: Start | None = None

    @property
    def done(self) -> bool:
        """Whether the job has ended well."""
        return 0 in self.codes


def read(path: str | None) -> Record:
    """Return what is known of a job; of one never started, or without a file, an empty record."""
    if path is None:
        return Record()
    try:
        lines = Path(path).read_text().splitlines()
    except FileNotFoundError:
        return Record()
    starts = 0
    codes = []
    unended = None
    for line in lines:
        match line.split():
            case ["start", host, pid, start, _]:
                starts += 1
                unended = Start(host, int(pid), int(start))
            case ["end", code]:
                codes.append(int(code))
                unended = None
    return Record(starts, tuple(codes), unended)


@dataclass(frozen=True)
class Running:
    """A job that has begun and not ended.

    `jobid` is Snakemake's: a number, or of a group a UUID. `since` is a time of day.
    """

    jobid: str
    host: str
    since: float


def running(folder: Path, known: Mapping[str, Running] | None = None) -> dict[str, Running]:
    """Return the unfinished jobs of a run's folder of ledgers that have begun, by their files.

    Files of which a former call has told, whose result is `known`, aren't read again.
    """
    found = {}
    for path in folder.glob("job-*"):
        if known and path.name in known:
            found[path.name] = known[path.name]
            continue
        try:
            *_, last = path.read_text().splitlines()
        except (FileNotFoundError, ValueError):
            continue  # has ended, or begins, in this moment
        match last.split():
            case ["start", host, _, _, since]:
                # See `Executor.run_job` for the names.
                jobid, _, _ = path.name.removeprefix(f"job-{folder.name}-").rpartition("-")
                found[path.name] = Running(jobid, host, float(since))
    return found


def withdraw(path: str) -> bool:
    """Keep a job from beginning, for good. Returns whether that was in time."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    return True


def record_start(path: str) -> bool:
    """Note that this process begins the job; False if it was withdrawn, and must not.

    Called in the job's own process.
    """
    pid = os.getpid()
    line = f"start {socket.gethostname()} {pid} {start_time(pid)} {time.time():.3f}\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
        if os.read(descriptor, 5) != b"start":
            os.close(descriptor)
            return False
    os.write(descriptor, line.encode())
    os.close(descriptor)
    return True


def record_end(path: str, code: int) -> None:
    """Note that the job's process has ended."""
    _append(path, f"end {code}\n")


def wait_until_alone(path: str) -> Record:
    """Wait until no earlier attempt can still be writing, and return what is known then."""
    deadline = time.monotonic() + LEASE_SECONDS
    while (attempt := (record := read(path)).open) and time.monotonic() < deadline:
        if attempt.host == socket.gethostname():
            found = start_time(attempt.pid)
            if found in (attempt.start_time, 0):
                # What it has started outlives it if its fork server was lost, too.
                kill_session(attempt.pid)
            if found != attempt.start_time:
                # Its fork server notes the end just after the process is gone.
                time.sleep(0.2)
                return read(path)
        time.sleep(0.05)
    return record


def kill_session(leader: int) -> None:
    """Kill a job's process group, and what left the group but not the session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if os.getsid(int(entry.name)) == leader:
                    os.kill(int(entry.name), signal.SIGKILL)


def start_time(pid: int) -> int:
    """Return when a process started, in clock ticks since boot; 0 if it is gone or a zombie."""
    try:
        stat = read_proc(f"/proc/{pid}/stat")
    except OSError:
        return 0
    fields = stat.rpartition(")")[2].split()
    return 0 if fields[0] in "ZX" else int(fields[19])


def bytes_read_and_written(pid: int | str) -> tuple[int, int]:
    """Return what a process that isn't reaped yet has read and written, its children included."""
    try:
        lines = read_proc(f"/proc/{pid}/io").splitlines()
    except OSError:
        return 0, 0
    counts = dict(line.split(": ") for line in lines)
    return int(counts["rchar"]), int(counts["wchar"])


def read_proc(path: str) -> str:
    """Return a small file of the kernel's. Costs less than a file object, in each fork."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 2**16).decode(errors="replace")
    finally:
        os.close(descriptor)


def _append(path: str, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
