"""The records of runs that the executor plugin keeps: JSON lines, one for each job that ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from deriv_ops.errors import InputFileError

# Where `profiles/` have the records kept.
RUNS_FOLDER = Path("logs/runs")


@dataclass(frozen=True)
class Run:
    """A run as far as it is recorded.

    Attributes
    ----------
    path: the file.
    about: its first line: command, start, host, versions, configuration.
    jobs: the lines of jobs, in the order in which they ended.
    end: its last line; empty while the run goes on, or if it was killed.

    """

    path: Path
    about: Mapping[str, Any]
    jobs: tuple[Mapping[str, Any], ...] = ()
    end: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def last(self) -> dict[str, Mapping[str, Any]]:
        """The last attempt of each rule."""
        return {job["rule"]: job for job in self.jobs}


def read_run(path: Path) -> Run:
    """Read the record of a run; one that is being written is read as far as it is."""
    lines = path.read_text().splitlines(keepends=True)
    records = []
    for number, line in enumerate(lines, 1):
        if not line.endswith("\n"):
            break  # is being written, or was when the run was killed
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise InputFileError(
                f"{path}:{number}: is not the record of a run: {error}; name another one, or "
                "remove it"
            ) from error
    if not records or records[0].get("kind") != "run":
        raise InputFileError(f"{path}: is not the record of a run; name another one, or remove it")
    jobs = tuple(record for record in records if record["kind"] == "job")
    end: Mapping[str, Any] = next((record for record in records if record["kind"] == "end"), {})
    return Run(path, records[0], jobs, end)


def latest_run(results_dir: Path, folder: Path = RUNS_FOLDER) -> Run | None:
    """Return the last run that wrote to a folder of results; None when none is recorded."""
    for path in sorted(folder.glob("*.jsonl"), reverse=True):
        with path.open() as file:
            if not file.readline().endswith("\n"):
                continue  # the run was killed, or begins, in this moment
        run = read_run(path)
        written = run.about.get("config", {}).get("results_dir", "")
        # By the name alone: a former run may have used a storage that isn't of use now.
        if str(written if "://" in written else Path(written)) == str(results_dir):
            return run
    return None
