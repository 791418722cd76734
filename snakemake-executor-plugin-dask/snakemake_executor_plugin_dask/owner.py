"""Whose run has locked a folder, so that the lock of one that was killed can be told and removed.

    python -m snakemake_executor_plugin_dask.owner

removes the lock if its run is over for certain; else it says whose it is, and fails. Of a run on
another machine Slurm tells, if it was in a job.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from . import ledger

# Each run has a folder of its own there.
RUNS = Path(".snakemake/dask")
NOTE = "owner.json"
# Snakemake's; `snakemake --unlock` does no more than remove it, but reads the workflow first.
LOCKS = Path(".snakemake/locks")


@dataclass(frozen=True)
class Owner:
    """The process of a run, and the Slurm job it is in, if any."""

    host: str
    pid: int
    start_time: int
    job: str | None

    def __str__(self) -> str:
        """Return what people see."""
        job = f", Slurm job {self.job}" if self.job else ""
        return f"process {self.pid} on {self.host}{job}"

    def is_over(self) -> bool:
        """Whether it is known to have ended."""
        if self.host == socket.gethostname():
            return ledger.start_time(self.pid) != self.start_time
        if not self.job:
            return False
        from .clusters.slurm import commands

        try:
            return commands.is_over(self.job)
        except commands.SlurmError:
            return False


def note(folder: Path) -> None:
    """Note in a run's folder that this process is it."""
    pid = os.getpid()
    job = os.environ.get("SLURM_JOB_ID")
    owner = Owner(socket.gethostname(), pid, ledger.start_time(pid), job)
    (folder / NOTE).write_text(json.dumps(asdict(owner)))


def main() -> int:
    """Remove the lock, or say why not."""
    locks = [path.stat().st_mtime for path in LOCKS.glob("*.lock")]
    if not locks:
        return 0
    # A run locks the folder and then says who it is: older notes are of others.
    notes = [path for path in RUNS.glob(f"*/{NOTE}") if path.stat().st_mtime >= max(locks)]
    owners = [Owner(**json.loads(path.read_text())) for path in notes]
    living = [owner for owner in owners if not owner.is_over()]
    if owners and not living:
        shutil.rmtree(LOCKS)
        print(f"Removed the lock of a run that is over: {owners[0]}.")
        return 0
    whose = " and ".join(map(str, living)) or "a run that has not said who it is"
    print(
        f"{Path.cwd()} is locked by {whose}, which may be at work. When it is over for certain: "
        "snakemake --unlock",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
