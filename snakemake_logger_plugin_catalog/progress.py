"""How far a run is: what is done, what failed, what runs, and how long the rest will take."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snakemake_executor_plugin_dask import ledger

from .announce import Rule

OTHER = Rule("", "other rules")
# The ledgers may be on a file system of many machines.
LOOK_SECONDS = 1.0
# The rate is that of so many seconds.
RATE_SECONDS = 30.0
# Jobs may take milliseconds: how busy workers are is a mean over so long.
BUSY_SECONDS = 5.0


@dataclass(frozen=True)
class Failure:
    """A job that failed: its rule, what went wrong, and where to read more."""

    rule: str
    error: str
    logs: tuple[str, ...]


@dataclass(frozen=True)
class Running:
    """A job that has begun: its rule, where it runs, and for how many seconds."""

    rule: str
    host: str
    seconds: float


@dataclass
class Count:
    """Jobs of an operator or a folder; those that are `blocked` need one that failed."""

    total: int = 0
    done: int = 0
    running: int = 0
    failed: int = 0
    blocked: int = 0

    @property
    def to_do(self) -> int:
        """Return how many have yet to begin."""
        return max(0, self.total - self.done - self.running - self.failed - self.blocked)


@dataclass
class Host:
    """What has ended on a machine: jobs, the most memory of one in bytes, by which workers."""

    jobs: int = 0
    memory: int = 0
    workers: set[str] = field(default_factory=set)


@dataclass
class Progress:
    """The state of one run, kept from what Snakemake says and from the executor's record."""

    rules: Mapping[str, Rule] = field(default_factory=dict)
    former: Callable[[], Mapping[str, float]] = dict
    # Rules by the ids of their jobs; a group's is that of one of its members.
    names: dict[str, str] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)
    jobs: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    failures: dict[str, Failure] = field(default_factory=dict)
    # What was ended because another member of its group failed.
    ended: set[str] = field(default_factory=set)
    # Whether no more jobs begin.
    stopping: bool = False
    planned: float = field(default_factory=time.monotonic)
    began: float = 0.0
    written: int = 0
    threads: float = 0.0
    is_recorded: bool = False
    machines: list[Mapping[str, float]] = field(default_factory=list)
    hosts: dict[str, Host] = field(default_factory=lambda: defaultdict(Host))
    # By operator: how many jobs have ended and their seconds.
    measured: dict[str, list[float]] = field(
        default_factory=lambda: defaultdict(lambda: [0.0, 0.0])
    )
    errors: dict[str, str] = field(default_factory=dict)
    # When the jobs that Snakemake runs itself began, or were given to a batch system.
    started: dict[str, float] = field(default_factory=dict)
    _work: deque[tuple[float, float, str]] = field(default_factory=deque)
    _ends: deque[float] = field(default_factory=deque)
    _record: Iterator[dict[str, Any]] = field(default_factory=lambda: iter(()))
    _ledgers: Path | None = None
    _begun: dict[str, ledger.Running] = field(default_factory=dict)
    _looked: float = 0.0
    _expected: dict[str, float] = field(default_factory=dict)
    # The jobs of the run, and those of them that are done, by operator and by folder.
    _jobs: dict[str, Counter[str]] = field(default_factory=lambda: _no_jobs())
    _done: dict[str, Counter[str]] = field(default_factory=lambda: _no_jobs())

    def begin(self, stats: Mapping[str, int]) -> None:
        """Take the number of jobs of each rule."""
        self.jobs = Counter({rule: count for rule, count in stats.items() if rule != "total"})
        self._jobs, self._done = self._by_group(self.jobs), self._by_group(self.done)
        self.began = time.monotonic()
        self._expected = self._means(self.former().items())

    def follow(self, record: str | None, running: str, threads: float) -> None:
        """Take where the Dask executor writes of its jobs."""
        self._record = _lines(Path(record)) if record else iter(())
        self.is_recorded = record is not None
        self._ledgers, self.threads = Path(running), threads

    def start(self, jobid: object, rule: str, local: bool) -> None:
        """Count a job that runs now, or that the Dask executor has been given."""
        self.names[str(jobid)] = rule
        if local or self._ledgers is None:
            self.started[rule] = time.time()

    def finish(self, jobid: object) -> float | None:
        """Count a job that has ended well; return when it began, if Snakemake itself ran it."""
        rule = self.names.get(str(jobid), "")
        self.done[rule] += 1
        for by, count in self._by_group({rule: 1}).items():
            self._done[by] += count
        self._ends.append(time.monotonic())
        self.failures.pop(rule, None)
        self.ended.discard(rule)
        began = self.started.pop(rule, None)
        if began is not None:
            self._measure(rule, time.time() - began)
            self._work.append((began, time.time(), ""))
        return began

    def fail(self, rule: str, logs: Iterable[str], message: str = "") -> Failure:
        """Count a job that has failed; if it is tried again and ends well, it doesn't count."""
        self.poll()
        logs = tuple(logs)
        self.started.pop(rule, None)
        # What the executor says counts where no record does: such as why a job wasn't submitted.
        error = self.errors.get(rule, "") or message
        if not self.errors.get(rule) or error.startswith("exit code"):
            # Of a shell command its log says more.
            error = f"{error}\n{_end_of(logs)}".strip()
        self.failures[rule] = Failure(rule, error, logs)
        return self.failures[rule]

    def fail_group(self, name: str, logs: Mapping[str, tuple[str, ...]]) -> list[Failure]:
        """Count the jobs of a group that failed, by their rules; return those that are to blame.

        Snakemake ends all of a group. Which one failed the executor's record says, or else nobody.
        """
        self.poll()
        to_blame = [rule for rule in logs if self.errors.get(rule)]
        self.ended |= {rule for rule in logs if rule not in to_blame}
        began = min((self.started.pop(rule, 0.0) for rule in logs), default=0.0)
        if to_blame:
            return [self.fail(rule, logs[rule]) for rule in to_blame]
        every = [log for each in logs.values() for log in each if Path(log).is_file()]
        # What an earlier run has written says nothing of this one.
        latest = sorted((log for log in every if _time(log) >= began), key=_time)[-1:]
        error = _end_of(latest) if latest else UNSAID.format(min(logs, default=name))
        self.failures[name] = Failure(f"one of {name}", error, tuple(latest))
        return [self.failures[name]]

    def poll(self) -> None:
        """Read what the executor has written since the last time."""
        for line in self._record:
            if line == {}:
                break
            if line["kind"] == "run":
                self.machines = line.get("machines", [])
            if line["kind"] != "job":
                continue
            self.written += line["written"] or 0
            self.errors[line["rule"]] = "" if line.get("removed") else line["error"].strip()
            self._measure(line["rule"], line["wall"])
            host = self.hosts[line["host"]]
            host.jobs += 1
            host.memory = max(host.memory, line["max_rss"] or 0)
            host.workers.add(line["worker"])
            if line["started"]:
                self._work.append((line["started"], line["started"] + line["wall"], line["host"]))
        if self._ledgers and time.monotonic() - self._looked > LOOK_SECONDS:
            self._looked = time.monotonic()
            self._begun = ledger.running(self._ledgers, self._begun)

    def rule(self, name: str) -> Rule:
        """Return what a rule is counted with."""
        return self.rules.get(name, OTHER)

    def counts(self, by: str) -> dict[str, Count]:
        """Return the jobs by ``operator`` or ``folder``."""
        # A view is drawn over and over: here are only the few rules that something is said of.
        counts = {
            group: Count(jobs, self._done[by][group]) for group, jobs in self._jobs[by].items()
        }
        running = Counter(job.rule for job in self.running())
        blocked = self.blocked()
        for name in {*running, *blocked, *self.failures, *self.ended} & self.jobs.keys():
            count = counts[getattr(self.rule(name), by)]
            count.failed += name in self.failures or name in self.ended
            count.blocked += name in blocked
            count.running += min(running[name], self.jobs[name] - self.done[name])
        return counts

    def blocked(self) -> set[str]:
        """Return the rules of this run that can't run because one that they need has failed."""
        stuck = {*self.failures, *self.ended}
        found: set[str] = set()
        # In catalogs parents stand before children.
        for name, rule in self.rules.items() if stuck else ():
            if not stuck.isdisjoint(rule.parents):
                stuck.add(name)
                if name in self.jobs and not self.done[name]:
                    found.add(name)
        return found - {*self.failures, *self.ended}

    def running(self) -> list[Running]:
        """Return the jobs that have begun and not ended, longest first."""
        now = time.time()
        found = [Running(rule, "", now - since) for rule, since in self.started.items()]
        for job in self._begun.values():
            for rule in self.members.get(job.jobid) or [self.names.get(job.jobid, "?")]:
                if not self.done[rule] and rule not in self.failures:
                    found.append(Running(rule, job.host, max(0.0, now - job.since)))
        return sorted(found, key=lambda job: -job.seconds)

    def busy(self, running: Iterable[Running]) -> dict[str, float]:
        """Return how many jobs each host has had at a time, of late."""
        now = time.time()
        since = now - BUSY_SECONDS
        while self._work and self._work[0][1] < since:
            self._work.popleft()
        times = [*self._work, *((now - job.seconds, now, job.host) for job in running)]
        busy = dict.fromkeys(self.hosts, 0.0)
        for began, end, host in times:
            overlap = max(0.0, end - max(began, since))
            busy[host] = busy.get(host, 0.0) + overlap / BUSY_SECONDS
        return busy

    @property
    def is_waiting(self) -> bool:
        """Whether the Dask executor's workers have begun nothing yet."""
        return self._ledgers is not None and not self._begun and not self.hosts

    @property
    def elapsed(self) -> float:
        """Seconds since the jobs began, or before that since the run is planned."""
        return time.monotonic() - (self.began or self.planned)

    @property
    def rate(self) -> float:
        """Jobs that have ended in a second, of late."""
        now = time.monotonic()
        while self._ends and now - self._ends[0] > RATE_SECONDS:
            self._ends.popleft()
        return len(self._ends) / max(0.1, min(self.elapsed, RATE_SECONDS))

    def seconds_to_go(self) -> float | None:
        """Return how long the rest will take; None when nothing tells.

        Each job is taken to last as long as those of its operator, in this run or else in former
        ones; of those that run the time that has passed counts. Workers are taken to be as busy as
        they have been. What can't run, or won't because the run is ending, isn't waited for.
        """
        running = self.running()
        number = sum(jobs for jobs, _ in self.measured.values())
        spent = sum(seconds for _, seconds in self.measured.values())
        mean = spent / number if number else self._expected.get("")
        if mean is None:
            return None
        at_work: dict[str, list[float]] = defaultdict(list)
        for job in running:
            at_work[self.rule(job.rule).operator].append(job.seconds)
        rest = longest = 0.0
        for operator, count in self.counts("operator").items():
            expected = self._expect(operator, mean, at_work[operator])
            left = [max(0.0, expected - seconds) for seconds in at_work[operator]]
            longest = max(longest, *left) if left else longest
            rest += sum(left) + (0 if self.stopping else expected * count.to_do)
        worked = spent + sum(job.seconds for job in running)
        at_a_time = max(1.0, float(len(running)), worked / max(self.elapsed, 0.1))
        if self.threads:
            at_a_time = min(at_a_time, max(1.0, self.threads))
        return max(rest / at_a_time, longest)

    def _expect(self, operator: str, mean: float, at_work: list[float]) -> float:
        """Return how long a job of an operator takes; `mean` is that of all jobs."""
        number, seconds = self.measured.get(operator, (0.0, 0.0))
        expected = seconds / number if number else self._expected.get(operator, mean)
        # Those that have worked longer than that take at least so long.
        longer = [passed for passed in at_work if passed > expected]
        return (number * expected + sum(longer)) / (number + len(longer)) if longer else expected

    def _means(self, seconds: Iterable[tuple[str, float]]) -> dict[str, float]:
        """Return the mean of each operator, and as "" that of all."""
        by: dict[str, list[float]] = defaultdict(list)
        for name, value in seconds:
            by[self.rule(name).operator].append(value)
            by[""].append(value)
        return {operator: sum(values) / len(values) for operator, values in by.items()}

    def _by_group(self, counts: Mapping[str, int]) -> dict[str, Counter[str]]:
        """Return the sums of numbers of rules of this run, by operator and by folder."""
        sums = _no_jobs()
        for rule, number in counts.items():
            for by, sums_of in sums.items() if rule in self.jobs else ():
                sums_of[getattr(self.rule(rule), by)] += number
        return sums

    def _measure(self, rule: str, seconds: float) -> None:
        measured = self.measured[self.rule(rule).operator]
        measured[0] += 1
        measured[1] += seconds


def _no_jobs() -> dict[str, Counter[str]]:
    return {"operator": Counter(), "folder": Counter()}


# Snakemake keeps what an executor says of a group to itself.
UNSAID = """None of its jobs has written a log: was it refused? Snakemake tells why of a job by
itself, such as {} without its group."""


def _end_of(logs: Iterable[str]) -> str:
    """Return what a job that nothing else is known of has written last."""
    for log in logs:
        try:
            return Path(log).read_text(errors="replace")[-1000:].strip()
        except OSError:
            continue
    return ""


def _time(file: str) -> float:
    return Path(file).stat().st_mtime


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
