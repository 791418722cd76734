"""What the main process sends to a worker, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .handover import Identity


@dataclass(frozen=True)
class Task:
    """A job as the worker sees it. Everything about Snakemake is in `payload`, for the child.

    Times are in seconds. Jobs of the same `key` may share a process, one after the other. `starts`
    bounds how often the job may begin when workers are lost. Without a `ledger` the worker shares
    no files with the main process: the job runs in an empty folder of its own, and its log files,
    named relative to it, come back with the outcome.
    """

    name: str
    payload: bytes
    ledger: str | None
    key: str | None = None
    outputs: tuple[str, ...] = ()
    log: str | None = None
    logs: tuple[str, ...] = ()
    time_limit: float | None = None
    starts: int = 3
    benchmark_repeats: int = 0


@dataclass
class Outcome:
    """How a job ended. Sizes are in bytes, times in seconds, over all repeats of a benchmark.

    `hits` counts the inputs that were handed over. `started` is a time of day on the worker's
    clock. A job is `lost` when it was ended before its time, on request or with its worker.
    """

    ok: bool
    error: str = ""
    stdout: bytes = b""
    stderr: bytes = b""
    host: str = ""
    worker: str = ""
    started: float = 0.0
    wall: float = 0.0
    cpu: float = 0.0
    max_rss: int = 0
    read: int = 0
    written: int = 0
    handed_over: int = 0
    hits: int = 0
    logs: dict[str, bytes] = field(default_factory=dict)
    entries: dict[str, tuple[str, Identity]] = field(default_factory=dict)
    benchmark: list[object] = field(default_factory=list)
    lost: bool = False
    begun: bool = True


@dataclass(frozen=True)
class Begun:
    """A job without a ledger begins."""


@dataclass(frozen=True)
class Joined:
    """A worker is there: the threads, MB (`mem_mb`) and named resources it offers."""

    offer: dict[str, float]


@dataclass(frozen=True)
class Notice:
    """Something about a worker that the user should know."""

    text: str


@dataclass
class Submission:
    """A job that is out, how it was sent, and of one without a ledger how often it has begun."""

    job: Any
    task: Task
    resources: dict[str, float]
    priority: int
    place: str | None
    future: Any = None
    sent: int = 0
    begun: int = 0
    settled: bool = False
