"""The record of a run: a file of JSON lines, one for each job that has ended.

    {"kind": "run", "id": ..., "started": ..., "command": [...], ...}      the first line
    {"kind": "job", "rule": ..., "started": ..., "wall": ..., ...}         one a job, as it ends
    {"kind": "end", "ended": ..., "ok": ...}                               missing if the run died

Times of day are in seconds since 1970, durations in seconds, sizes in bytes. Each line is on disk
as soon as it is written, so that the file can be read while the run goes on.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake.logging import logger
from snakemake_interface_common.exceptions import WorkflowError

if TYPE_CHECKING:
    from .accounting import Account
    from .task import Outcome


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
        self._write(
            {
                "kind": "run",
                "id": run,
                "started": time.time(),
                "command": sys.argv,
                "folder": str(Path.cwd()),
                "host": platform.node(),
                "platform": platform.platform(),
                "pid": os.getpid(),
                "versions": {"python": platform.python_version()}
                | {name: version(name) for name in ("snakemake", "dask", "distributed")},
                **described,
            }
        )

    def add(self, job: Any, threads: float, outcome: Outcome) -> None:
        """Write the line of a job that has ended."""
        single = not job.is_group()
        self._write(
            {
                "kind": "job",
                "rule": job.name,
                "jobid": job.jobid,
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
                "params": dict(job.params.items()) if single else {},
                "output": list(job.output),
                "log": list(job.log),
            }
        )

    def close(self, account: Account) -> None:
        """Write the last line."""
        totals = {name: value for name, value in asdict(account).items() if name != "began"}
        self._write({"kind": "end", "ended": time.time(), "ok": not account.failed, **totals})
        self.file.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        # Params may be anything; what JSON has no word for is written as Python shows it.
        line = json.dumps(record, default=str, separators=(",", ":")) + "\n"
        with self.lock:
            if self.broken:
                return
            try:
                self.file.write(line.encode())
            except OSError as error:
                # The run is worth more than its record.
                self.broken = True
                logger.warning(f"{self.path}: the record ends here: {error.strerror}")
