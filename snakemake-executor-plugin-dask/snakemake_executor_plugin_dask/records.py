"""The record of a run: a file of JSON lines, one for each job that has ended.

    {"kind": "run", "id": ..., "started": ..., "command": [...], ...}      the first line
    {"kind": "submitted", "jobid": ..., "rules": [...], ...}               one a job, as it is sent
    {"kind": "job", "rule": ..., "started": ..., "wall": ..., ...}         one a job, as it ends
    {"kind": "end", "ended": ..., "outcome": ...}                          missing if the run died

Times of day are in seconds since 1970, durations in seconds, sizes in bytes. Each line is on disk
as soon as it is written, so that the file can be read while the run goes on.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import os
import platform
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake.logging import logger
from snakemake_interface_common.exceptions import WorkflowError

from .ledger import start_time

if TYPE_CHECKING:
    from .task import Outcome


CLOCKS_DIFFER_SECONDS = 1.0
# A log may be long.
LOG_CHARACTERS = 4000


class Records:
    """The file of one run, in a folder of such files."""

    def __init__(self, folder: Path, run: str, described: Mapping[str, Any]) -> None:
        self.path = folder / f"{time.strftime('%Y%m%dT%H%M%S')}-{run}.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Without a buffer: what a killed run has recorded is there.
            self.file = self.path.open("xb", buffering=0)
        except OSError as error:
            raise WorkflowError(
                f"{folder}: no record of the run can be written there: {error.strerror}; set "
                "dask-records to another folder"
            ) from error
        self.lock = threading.Lock()
        self.broken = False
        self.write(
            {
                "kind": "run",
                "id": run,
                "started": time.time(),
                "command": sys.argv,
                "folder": str(Path.cwd()),
                "host": platform.node(),
                "platform": platform.platform(),
                "pid": os.getpid(),
                # With it a process that has the number later isn't taken for this one.
                "pid_started": start_time(os.getpid()),
                "versions": {"python": platform.python_version()}
                | {name: version(name) for name in ("snakemake", "dask", "distributed")},
                **described,
            }
        )

    def submit(self, job: Any) -> None:
        """Write that a job, or a group of them, has been given to the workers."""
        rules = sorted(single.name for single in job.jobs) if job.is_group() else [job.name]
        self.write(
            {
                "kind": "submitted",
                "jobid": job.jobid,
                "attempt": job.attempt,
                "time": time.time(),
                "rules": rules,
            }
        )

    def add(self, job: Any, threads: float, outcome: Outcome) -> None:
        """Write the line of a job that has ended, or of each member of a group that has begun."""
        if not job.is_group():
            self.write(_line(job, threads, outcome))
            return
        # What the child process has used can't be told apart.
        unknown = dict.fromkeys(("cpu", "max_rss", "read", "written", "handed_over", "hits"))
        for single, made, ended in _members(job, threads, outcome):
            line = _line(single, threads, ended) | unknown
            removed = made and not outcome.ok
            self.write(line | {"attempt": job.attempt, "group": job.groupid, "removed": removed})

    def end(self, outcome: str, **totals: Any) -> None:
        """Write the last line: whether the run succeeded, failed or was interrupted, and sums."""
        self.write({"kind": "end", "ended": time.time(), "outcome": outcome, **totals})
        self.file.close()

    def write(self, record: Mapping[str, Any]) -> None:
        """Write a line."""
        with self.lock:
            if self.broken:
                return
            # The run is worth more than its record.
            try:
                self.file.write(_encoded(record))
            except OSError as error:
                self.broken = True
                logger.warning(f"{self.path}: the record ends here: {error.strerror}")
            except Exception as error:
                logger.warning(f"{self.path}: a line can't be written: {error!r}")


def _encoded(record: Mapping[str, Any]) -> bytes:
    """Return a line of JSON. What JSON has no word for is written as Python shows it."""
    try:
        text = json.dumps(record, default=str, separators=(",", ":"))
    except TypeError:  # for keys it has no such way out
        text = json.dumps(_with_plain_keys(record), default=str, separators=(",", ":"))
    return text.encode() + b"\n"


def _with_plain_keys(value: Any) -> Any:
    match value:
        case Mapping():
            return {
                key if isinstance(key, str | int | float | None) else str(key): _with_plain_keys(v)
                for key, v in value.items()
            }
        case list() | tuple():
            return [_with_plain_keys(each) for each in value]
    return value


def _line(job: Any, threads: float, outcome: Outcome) -> dict[str, Any]:
    return {
        "kind": "job",
        "rule": job.name,
        "jobid": job.jobid,
        "group": "",
        "removed": False,
        "attempt": job.attempt,
        "ok": outcome.ok,
        "error": outcome.error,
        "worker": outcome.worker,
        "host": outcome.host,
        # Of a job whose worker said nothing any more the start isn't known.
        "started": outcome.started or None,
        "wall": outcome.wall,
        "cpu": outcome.cpu,
        "threads": threads,
        "max_rss": outcome.max_rss,
        "read": outcome.read,
        "written": outcome.written,
        "handed_over": outcome.handed_over,
        "hits": outcome.hits,
        "inputs": len(job.input),
        "params": dict(job.params.items()),
        "output": list(job.output),
        "log": list(job.log),
    }


def _members(job: Any, threads: float, outcome: Outcome) -> list[tuple[Any, bool, Outcome]]:
    """Return the members of a group that have begun, whether each is made, and its own outcome.

    A child Snakemake has run them and says no more than whether all went well. Each is taken to
    have ended when it wrote last, and to have begun when a thread was free.
    """
    ends = []
    for single in job.jobs:
        made = all(Path(file).exists() for file in single.output)
        wrote = max(map(_time, single.output if made else single.log), default=0.0)
        if wrote >= outcome.started - CLOCKS_DIFFER_SECONDS:
            ends.append((wrote, made, single))
        elif outcome.ok:
            ends.append((outcome.started + outcome.wall, made, single))
    free = [outcome.started] * max(1, int(threads))
    ended = []
    for end, made, single in sorted(ends, key=lambda item: (item[0], str(item[2].name))):
        began = heapq.heapreplace(free, end)
        own = replace(outcome, started=began, wall=max(0.0, end - began))
        if not outcome.ok:
            own.error = "" if made else _error(single)
        ended.append((single, made, own))
    return ended


def _time(file: str) -> float:
    try:
        return Path(file).stat().st_mtime
    except OSError:
        return 0.0


def _error(job: Any) -> str:
    """Return the end of a job's log: all there is to know of one that a child process ran."""
    for file in job.log:
        with contextlib.suppress(OSError):
            return Path(file).read_text(errors="replace")[-LOG_CHARACTERS:]
    return "no message"
