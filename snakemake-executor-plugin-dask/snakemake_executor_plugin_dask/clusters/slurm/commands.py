"""Slurm's commands, and what they answer."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass

# Slurm's controller may be busy; its own commands give up after about as long.
ANSWER_SECONDS = 60.0
UNLIMITED = float("inf")
ENDED = {
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "COMPLETING", "DEADLINE", "FAILED", "NODE_FAIL"),
    *("OUT_OF_MEMORY", "PREEMPTED", "REVOKED", "TIMEOUT"),
}
# Reasons to wait that no waiting ends; of limits those of a single job.
HOPELESS = re.compile(
    "AccountNotAllowed|BadConstraints|InvalidAccount|InvalidQOS|QOSNotAllowed|PartitionNodeLimit|"
    r"PartitionTimeLimit|(QOS|Assoc)Max\w+Per(Job|Node)(Limit)?|QOSMin\w+"
)
# What Slurm's commands say when its controller is too busy, restarts, or can't be reached.
BUSY = re.compile(
    "timed out|unable to contact|connect failure|connection (failure|refused|reset)|zero bytes|"
    "backup controller|temporarily unable|temporarily unavailable|not responding",
    re.IGNORECASE,
)


class SlurmError(RuntimeError):
    """What Slurm said when it refused."""


class BusyError(SlurmError):
    """There was no answer, or none that means anything: another try is worth it."""


@dataclass(frozen=True)
class QueuedJob:
    """A job as squeue shows it. Times in seconds."""

    id: str
    state: str
    reason: str
    node: str
    left: float
    limit: float

    @property
    def ended(self) -> bool:
        """Whether it is over, or about to be."""
        return self.state in ENDED

    @property
    def running(self) -> bool:
        """Whether it has its node."""
        return self.state == "RUNNING"

    @property
    def hopeless(self) -> bool:
        """Whether it waits for what never comes."""
        return bool(HOPELESS.fullmatch(self.reason))

    @property
    def held(self) -> bool:
        """Whether it waits for somebody to release it."""
        return self.reason.startswith("JobHeld")


def submit(script: str, *options: str) -> str:
    """Submit a job script, and return the job's id."""
    return _call("sbatch", "--parsable", *options, stdin=script).partition(";")[0].strip()


def check(script: str) -> str:
    """Have Slurm take a job script, for a job that never runs. Raises SlurmError if it doesn't.

    (`--test-only` refuses what has to wait while nodes are drained, `--hold` looks at no node.)
    """
    id_ = submit(script, "--begin=now+1hour")
    cancel(id_)
    return id_


def cancel(*options: str) -> None:
    """Cancel jobs: by their ids, or by their name (`--name=...`)."""
    _call("scancel", "--quiet", *options)


def queue(name: str) -> list[QueuedJob]:
    """Return the jobs of this name, those that have ended a moment ago included."""
    table = _call(
        *("squeue", "--noheader", "--states=all", f"--name={name}", "--format=%i|%T|%r|%N|%L|%l")
    )
    jobs = []
    for line in table.splitlines():
        id_, state, reason, node, left, limit = line.strip().split("|")
        jobs.append(QueuedJob(id_, state, reason, node, _seconds(left), _seconds(limit)))
    return jobs


def is_over(job: str) -> bool:
    """Whether a job has ended, perhaps so long ago that Slurm has forgotten it."""
    try:
        return not _call("squeue", "--noheader", f"--jobs={job}").strip()
    except SlurmError as error:
        if "Invalid job id" in str(error):
            return True
        raise


def node_address(partition: str | None) -> str | None:
    """Return the address of one of a partition's nodes, by which the way to all is found."""
    options = [f"--partition={partition}"] if partition else []
    addresses = _call("sinfo", "--noheader", "--Node", "--format=%o", *options).split()
    return addresses[0] if addresses else None


def hostnames(nodes: str) -> list[str]:
    """Return the names of what Slurm writes like `my[001-004]`."""
    return _call("scontrol", "show", "hostnames", nodes).split()


def address(node: str) -> str:
    """Return the address of a node."""
    return _call("sinfo", "--noheader", "--Node", f"--nodes={node}", "--format=%o").split()[0]


def memory(job: str) -> dict[str, str]:
    """Return the memory of a job in MB, under the names by which Slurm's jobs are told."""
    wish = re.search(r"MinMemory(Node|CPU)=([\d.]+)([KMGT])", _call("scontrol", "show", "job", job))
    if wish is None:
        return {}
    mb = float(wish[2]) * 1024.0 ** ("KMGT".index(wish[3]) - 1)
    return {f"SLURM_MEM_PER_{wish[1].upper()}": str(int(mb))}


def _call(*command: str, stdin: str | None = None) -> str:
    # What belongs to a job this process is part of would be taken for wishes for the new one.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SLURM_") or name == "SLURM_CONF"
    }
    try:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            env=environment,
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise SlurmError(f"{command[0]} is not on this machine: it has no Slurm.") from error
    except subprocess.TimeoutExpired as error:
        raise BusyError(f"{command[0]}: no answer within {ANSWER_SECONDS:g} s") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        kind = BusyError if BUSY.search(said) else SlurmError
        raise kind(said or f"{command[0]} has failed")
    return done.stdout


def _seconds(text: str) -> float:
    """Return the seconds of [days-][hours:]minutes:seconds; of anything else, no limit."""
    days, _, clock = text.rpartition("-")
    parts = clock.split(":")
    if not all(part.isdigit() for part in parts):
        return UNLIMITED
    seconds = 0
    for part in parts:
        seconds = seconds * 60 + int(part)
    return float(seconds + (int(days) * 86400 if days else 0))
