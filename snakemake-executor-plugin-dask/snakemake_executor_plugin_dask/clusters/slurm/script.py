"""The job script of the workers, made by dask-jobqueue from its configuration (`jobqueue.yaml`)."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dask.utils import parse_bytes
from dask_jobqueue.slurm import SLURMJob
from distributed import Security
from distributed.utils import get_ip, get_ip_interface

from . import commands
from .configuration import KEY, configured

# The address of a node under which it sees the scheduler's machine, or that of an interface, so
# that its workers listen there and nowhere else.
SEES = (
    "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
    "s.connect((sys.argv[1], 1)); print(s.getsockname()[0])"
)
HAS = (
    "import psutil, socket, sys; all = psutil.net_if_addrs()[sys.argv[1]]; "
    "print(next(one.address for one in all if one.family == socket.AF_INET))"
)


@dataclass(frozen=True)
class Shape:
    """What one Slurm job brings: so many workers of so many threads and so much memory."""

    workers: int
    threads: int
    mem_mb: int


def shape() -> Shape:
    """Return what a job brings. Raises ValueError if the configuration doesn't say."""
    cores = _number("cores", int)
    memory = _number("memory", parse_bytes)
    workers = _number("processes", int, "1")
    if workers > cores:
        raise ValueError(f"{KEY}: {workers} processes on {cores} cores")
    return Shape(workers, cores // workers, memory // workers // 2**20)


def scheduler_options() -> dict[str, Any]:
    """Return where the scheduler listens: as configured, else where it sees the nodes."""
    given = configured("scheduler-options") or {}
    options = {"port": 0, "dashboard": "dashboard_address" in given, **given}
    interface = options.pop("interface", None) or configured("interface")
    if "host" in options:
        return options
    if interface:
        return options | {"host": get_ip_interface(interface)}
    node = commands.node_address(configured("queue"))
    return options | {"host": get_ip(node, 1) if node else get_ip()}


def log_directory(folder: Path) -> Path:
    """Return where Slurm jobs write what they say: as configured, else in a folder of the run's."""
    return Path(configured("log-directory") or folder / "workers")


def job_script(
    worker: str, job: str, scheduler: str, security: Security, logs: Path, avoid: Iterable[str]
) -> str:
    """Return the script of a Slurm job, for workers whose names begin with `worker`.

    It goes to none of the nodes to `avoid`.
    """
    python = shlex.quote(str(configured("python") or sys.executable))
    brings = shape()
    arguments = [
        "--no-dashboard",
        # Its server listens all the same, and on all interfaces unless it is told where.
        *("--dashboard-address", '"$WORKER_HOST:0"'),
        # What Slurm guarantees; Dask would look at what the whole machine has.
        *("--resources", f"'threads={brings.threads} mem_mb={brings.mem_mb}'"),
    ]
    local = configured("local-directory")
    prologue = [
        # For the jobs' own temporary files, too, unless the configured lines know better.
        f"mkdir -p {local} && export TMPDIR={local}" if local else "",
        *(configured("job-script-prologue", "env-extra") or ()),
        # Pages of logs and metrics, for anybody to read.
        "export DASK_DISTRIBUTED__WORKER__HTTP__ROUTES='[]'",
    ]
    if interface := configured("interface"):
        address = f"{shlex.quote(HAS)} {shlex.quote(interface)}"
    else:
        address = f"{shlex.quote(SEES)} {scheduler.rpartition('/')[2].rpartition(':')[0]}"
        arguments += ["--host", '"$WORKER_HOST"']
    # Without an address the job ends, and says why.
    prologue.append(f"WORKER_HOST=$({python} -c {address}) || exit")
    made = SLURMJob(
        scheduler,
        name=worker,
        job_name=job,
        processes=brings.workers,
        # What lies in the workflow's folder doesn't take the place of what is installed.
        python=f"{python} -P",
        protocol="tls://",
        security=security,
        job_script_prologue=prologue,
        worker_extra_args=[*arguments, *(configured("worker-extra-args", "extra") or ())],
        job_extra_directives=_directives(avoid),
        log_directory=shlex.quote(str(logs)),
    )
    return str(made.job_script())


def _directives(avoid: Iterable[str]) -> list[str]:
    # A node that has failed is replaced at once, not when it is back.
    given = ["--no-requeue", *(configured("job-extra-directives", "job-extra") or ())]
    if nodes := sorted(avoid):
        # Of several such directives Slurm heeds the last.
        matches = (re.fullmatch("(?:--exclude[= ]|-x ?)(.+)", one) for one in given)
        nodes += [match[1] for match in matches if match]
        given.append(f"--exclude={','.join(nodes)}")
    return given


def _number(name: str, parse: Callable[[Any], int], default: str | None = None) -> int:
    value = configured(name) or default
    try:
        number = parse(value) if value else 0
    except (TypeError, ValueError) as error:
        raise ValueError(f"{KEY}.{name} is {value!r}: {error}") from error
    if number <= 0:
        raise ValueError(f"{KEY}.{name} is missing, or not positive")
    return number
