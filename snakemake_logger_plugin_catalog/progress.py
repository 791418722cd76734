"""How far a run is: what is done, what failed, what runs, and how long the rest will take."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snakemake_executor_plugin_dask import ledger

from .announce import Rule

OTHER = Rule("", "other rules")


@dataclass(frozen=True)
class Failure:
    """A job that failed: its rule, what went wrong, and where to read more."""

    rule: str
    error: str
    logs: tuple[str, ...]


@dataclass(frozen=True)
class Running:
    """A job that a worker has begun: its rule and for how many seconds."""

    rule: str
    seconds: float


@dataclass
class Count:
    """Jobs of an operator or a folder."""

    total: int = 0
    done: int = 0
    failed: int = 0


@dataclass
class Progress:
    """The state of one run, kept from what Snakemake says and from the executor's record."""

    rules: Mapping[str, Rule] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    jobs: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    failures: dict[str, Failure] = field(default_factory=dict)
    began: float = 0.0
    written: int = 0
    threads: float = 0.0
    # By operator: how many jobs have ended and their seconds.
    measured: dict[str, list[float]] = field(
        default_factory=lambda: defaultdict(lambda: [0.0, 0.0])
    )
    errors: dict[str, str] = field(default_factory=dict)
    _record: Iterator[dict[str, Any]] = field(default_factory=lambda: iter(()))
    _running: Path | None = None

    def begin(self, stats: Mapping[str, int]) -> None:
        """Take the number of jobs of each rule."""
        self.jobs = Counter({rule: count for rule, count in stats.items() if rule != "total"})
        self.began = time.monotonic()

    def follow(self, record: str | None, running: str, threads: float) -> None:
        """Take where the executor writes of its jobs."""
        self._record = _lines(Path(record)) if record else iter(())
        self._running, self.threads = Path(running), threads

    def finish(self, jobid: int) -> None:
        """Count a job that has ended well."""
        rule = self.names.get(jobid, "")
        self.done[rule] += 1
        self.failures.pop(rule, None)

    def fail(self, rule: str, logs: list[str]) -> Failure:
        """Count a job that has failed; if it is tried again and ends well, it doesn't count."""
        self.poll()
        error = self.errors.get(rule) or _end_of(logs)
        self.failures[rule] = Failure(rule, error, tuple(logs))
        return self.failures[rule]

    def poll(self) -> None:
        """Read what the executor has written since the last time."""
        for line in self._record:
            if line == {}:
                return
            if line["kind"] != "job":
                continue
            self.written += line["written"]
            self.errors[line["rule"]] = line["error"].strip()
            measured = self.measured[self.rule(line["rule"]).operator]
            measured[0] += 1
            measured[1] += line["wall"]

    def rule(self, name: str) -> Rule:
        """Return what a rule is counted with."""
        return self.rules.get(name, OTHER)

    def counts(self, by: str) -> dict[str, Count]:
        """Return the jobs by ``operator`` or ``folder``."""
        counts: dict[str, Count] = defaultdict(Count)
        for name, jobs in self.jobs.items():
            count = counts[getattr(self.rule(name), by)]
            count.total += jobs
            count.done += self.done[name]
            count.failed += name in self.failures
        return counts

    def running(self) -> list[Running]:
        """Return the jobs that workers have begun, longest first."""
        if self._running is None:
            return []
        now = time.time()
        found = [
            Running(self.names.get(job.jobid, f"job {job.jobid}"), max(0.0, now - job.since))
            for job in ledger.running(self._running)
        ]
        return sorted(found, key=lambda job: -job.seconds)

    @property
    def elapsed(self) -> float:
        """Seconds since the jobs began."""
        return time.monotonic() - self.began

    def seconds_to_go(self) -> float | None:
        """Return how long the rest will take; None when nothing has been measured.

        Each job is taken to last as long as those of its operator have on average, and the workers
        to be as busy as they have been.
        """
        jobs = sum(number for number, _ in self.measured.values())
        spent = sum(seconds for _, seconds in self.measured.values())
        if not jobs or not spent:
            return None
        rest = 0.0
        for operator, count in self.counts("operator").items():
            number, seconds = self.measured.get(operator, (0.0, 0.0))
            mean = seconds / number if number else spent / jobs
            rest += mean * (count.total - count.done - count.failed)
        at_a_time = max(1.0, spent / max(self.elapsed, 0.1))
        return rest / at_a_time


def _end_of(logs: list[str]) -> str:
    """Return what a job that nothing else is known of has written last."""
    try:
        return Path(logs[0]).read_text(errors="replace")[-1000:].strip() if logs else ""
    except OSError:
        return ""


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the whole lines of a file that grows, and {} whenever there is none."""
    with path.open() as file:
        text = ""
        while True:
            text += file.readline()
            if text.endswith("\n"):
                yield json.loads(text)
                text = ""
            else:
                yield {}
