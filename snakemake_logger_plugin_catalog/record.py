"""The record of a run whose executor keeps none: the same lines, of what Snakemake says."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snakemake_executor_plugin_dask.records import Records

# What only who runs a job can know.
UNKNOWN = dict.fromkeys(("cpu", "max_rss", "read", "written", "handed_over", "hits", "inputs"))


@dataclass
class OwnRecord:
    """Writes the record of a run to a folder, from the first job on."""

    folder: Path
    jobs: int
    config: Mapping[str, Any]
    infos: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    attempts: Counter[str] = field(default_factory=Counter)
    groups: dict[str, str] = field(default_factory=dict)
    records: Records | None = None

    def start(self, info: Mapping[str, Any]) -> None:
        """Write that a job has begun, or was given to a batch system."""
        if self.records is None:
            described = {"jobs": self.jobs, "config": self.config}
            self.records = Records(self.folder, secrets.token_hex(4), described)
        jobid, rule = str(info["jobid"]), info["rule_name"]
        self.infos[jobid] = info
        self.attempts[jobid] += 1
        attempt = self.attempts[jobid]
        line = {"jobid": info["jobid"], "attempt": attempt, "time": time.time(), "rules": [rule]}
        self.records.write({"kind": "submitted", **line})

    def end(self, jobid: object, began: float | None, ok: bool, error: str = "") -> None:
        """Write how a job has ended."""
        info = self.infos.get(str(jobid))
        if info is None or self.records is None:
            return
        self.records.write(
            {
                "kind": "job",
                "rule": info["rule_name"],
                "jobid": jobid,
                "group": self.groups.get(info["rule_name"], ""),
                "removed": False,
                "attempt": self.attempts[str(jobid)],
                "ok": ok,
                "error": error,
                "worker": "",
                "host": "",
                "started": began,
                "wall": time.time() - began if began else 0.0,
                "threads": info["threads"],
                "params": {},
                "output": list(info["output"]),
                "log": list(info["log"]),
                **UNKNOWN,
            }
        )

    def close(self, outcome: str) -> None:
        """Write the last line."""
        if self.records:
            self.records.end(outcome)
            self.records = None
