"""The records of runs that the executor plugin keeps: JSON lines, one for each job that ended."""

from __future__ import annotations

import json
import logging
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from snakemake_executor_plugin_dask import ledger

from deriv_ops.errors import InputFileError

# Where `profiles/` have the records kept.
RUNS_FOLDER = Path("logs/runs")
# Of the jobs of former runs those in so many records count.
FORMER = 50

logger = logging.getLogger("deriv_ops")


@dataclass(frozen=True)
class Run:
    """A run as far as it is recorded.

    Attributes
    ----------
    path: the file.
    about: its first line: command, start, host, versions, configuration.
    jobs: the lines of jobs, in the order in which they ended.
    submitted: the lines of what was given to the workers.
    end: its last line; empty while the run goes on, or if it was killed.

    """

    path: Path
    about: Mapping[str, Any]
    jobs: tuple[Mapping[str, Any], ...] = ()
    submitted: tuple[Mapping[str, Any], ...] = ()
    end: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def last(self) -> dict[str, Mapping[str, Any]]:
        """The last attempt of each rule."""
        return {job["rule"]: job for job in self.jobs}

    @cached_property
    def outcome(self) -> str:
        """Say if it has succeeded, failed, was interrupted, goes on, or died, in these words.

        Of one without a last line that was started on another machine, "goes on or died".
        """
        if self.end:
            return str(self.end["outcome"])
        if self.about.get("host") != platform.node():
            return "goes on or died"
        started = self.about.get("pid_started", 0)
        return "goes on" if started and ledger.start_time(self.about["pid"]) == started else "died"

    @cached_property
    def running(self) -> list[dict[str, Any]]:
        """The jobs that have begun and not ended: their rule, host and start (a time of day)."""
        if self.outcome == "succeeded" or not self.outcome.startswith("goes on"):
            return []
        ended = {(job["jobid"], job["attempt"]) for job in self.jobs}
        ended |= {(job["rule"], job["attempt"]) for job in self.jobs if job["group"]}
        begun: dict[str, ledger.Running] | None = None
        if folder := self.about.get("ledgers"):
            found = ledger.running(Path(folder)) if Path(folder).is_dir() else {}
            begun = {job.jobid: job for job in found.values()}
        running = []
        for line in self.submitted:
            job = begun.get(str(line["jobid"])) if begun is not None else None
            if (line["jobid"], line["attempt"]) in ended or (begun is not None and not job):
                continue
            start, host = (job.since, job.host) if job else (line["time"], "")
            for rule in line["rules"]:
                if (rule, line["attempt"]) not in ended:
                    running.append({"rule": rule, "host": host, "started": start})
        return running


def read_run(path: Path) -> Run:
    """Read the record of a run; one that is being written is read as far as it is.

    A line that can't be read is left out, with a warning. Raises `InputFileError` when the first
    one isn't that of a record.
    """
    records = []
    # What isn't text is no line either.
    lines = path.read_text(errors="replace").splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        if not line.endswith("\n"):
            break  # is being written, or was when the run was killed
        record = _parsed(line)
        if number == 1 and record.get("kind") != "run":
            break
        if record:
            records.append(record)
        else:
            logger.warning("%s:%s: left out, is not a line of a record", path, number)
    if not records:
        raise InputFileError(f"{path}: is not the record of a run; name another one, or remove it")
    kinds: dict[str, list[Mapping[str, Any]]] = {"job": [], "submitted": [], "end": []}
    for record in records[1:]:
        kinds[record["kind"]].append(record)
    jobs, submitted, end = kinds.values()
    return Run(path, records[0], tuple(jobs), tuple(submitted), end[-1] if end else {})


# What of each kind of line is looked at without being asked for.
_NEEDED = {
    "run": {"started"},
    "submitted": {"jobid", "attempt", "rules", "time"},
    "job": {"rule", "jobid", "group", "attempt", "ok", "error", "started", "wall", "host"},
    "end": {"ended", "outcome"},
}


def _parsed(line: str) -> dict[str, Any]:
    """Return a line of a record; of what is none, an empty one."""
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    if not isinstance(record, dict) or not isinstance(record.get("kind"), str):
        return {}
    needed = _NEEDED.get(record["kind"])
    return record if needed is not None and needed <= set(record) else {}


def _runs(results_dir: Path, folder: Path, since: float = 0.0) -> Iterator[Path]:
    """Yield the records of runs that wrote to a folder of results, the last one first."""
    for path in sorted(folder.glob("*.jsonl"), reverse=True):
        with path.open(errors="replace") as file:
            line = file.readline()
        # Without a line end the run was killed, or begins, in this moment.
        about = _parsed(line) if line.endswith("\n") else {}
        if about.get("kind") != "run" or about["started"] < since:
            continue
        config = about.get("config")
        written = str(config.get("results_dir", "")) if isinstance(config, dict) else ""
        # By the name alone: a former run may have used a storage that isn't of use now.
        if str(written if "://" in written else Path(written)) == str(results_dir):
            yield path


def latest_run(results_dir: Path, folder: Path = RUNS_FOLDER, since: float = 0.0) -> Run | None:
    """Return the last run that wrote to a folder of results, and began after a time of day.

    None when none is recorded.
    """
    for path in _runs(results_dir, folder, since):
        return read_run(path)
    return None


def last_jobs(
    results_dir: Path, names: set[str], folder: Path = RUNS_FOLDER
) -> dict[str, tuple[Mapping[str, Any], Path]]:
    """Return the last job that made each result of these names, and the record that tells of it."""
    found: dict[str, tuple[Mapping[str, Any], Path]] = {}
    for path, _ in zip(_runs(results_dir, folder), range(FORMER), strict=False):
        for name, job in read_run(path).last.items():
            if job["ok"] and name in names:
                found.setdefault(name, (job, path))
        if len(found) == len(names):
            break
    return found


def former_seconds(results_dir: Path, folder: Path = RUNS_FOLDER) -> dict[str, float]:
    """Return how long the jobs of each rule took in the last three runs that are recorded."""
    found: dict[str, float] = {}
    for path, _ in zip(_runs(results_dir, folder), range(3), strict=False):
        for name, job in read_run(path).last.items():
            if job["ok"]:
                found.setdefault(name, job["wall"])
    return found
