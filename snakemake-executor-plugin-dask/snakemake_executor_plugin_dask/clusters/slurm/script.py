"""The job script of the workers, made by dask-jobqueue from its configuration (`jobqueue.yaml`)."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
from dask.utils import parse_bytes
from dask_jobqueue.slurm import SLURMJob
from distributed import Security
from distributed.utils import get_ip, get_ip_interface

from . import commands

KEY = "jobqueue.slurm"
# The address under which a node sees the scheduler's machine, so that its workers listen there
# and nowhere else.
OWN_ADDRESS = (
    "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
    "s.connect((sys.argv[1], 1)); print(s.getsockname()[0])"
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


def job_script(worker: str, job: str, scheduler: str, security: Security, logs: Path) -> str:
    """Return the script of a Slurm job, for workers whose names begin with `worker`."""
    python = shlex.quote(str(configured("python") or sys.executable))
    brings = shape()
    arguments = [
        "--no-dashboard",
        # What Slurm guarantees; Dask would look at what the whole machine has.
        *("--resources", f"'threads={brings.threads} mem_mb={brings.mem_mb}'"),
    ]
    prologue = [
        *(configured("job-script-prologue", "env-extra") or ()),
        # Pages of logs and metrics, for anybody to read.
        "export DASK_DISTRIBUTED__WORKER__HTTP__ROUTES='[]'",
    ]
    if not configured("interface"):
        host = scheduler.rpartition("/")[2].rpartition(":")[0]
        prologue.append(f"WORKER_HOST=$({python} -c {shlex.quote(OWN_ADDRESS)} {host})")
        arguments += ["--host", '"$WORKER_HOST"']
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
        # A node that has failed is replaced at once, not when it is back.
        job_extra_directives=[
            "--no-requeue",
            *(configured("job-extra-directives", "job-extra") or ()),
        ],
        log_directory=configured("log-directory") or shlex.quote(str(logs)),
    )
    return str(made.job_script())


def configured(*names: str) -> Any:
    """Return what the configuration says under one of these names, the newer ones first."""
    return next(
        (value for name in names if (value := dask.config.get(f"{KEY}.{name}", None))), None
    )


def _number(name: str, parse: Callable[[Any], int], default: str | None = None) -> int:
    value = configured(name) or default
    try:
        number = parse(value) if value else 0
    except (TypeError, ValueError) as error:
        raise ValueError(f"{KEY}.{name} is {value!r}: {error}") from error
    if number <= 0:
        raise ValueError(f"{KEY}.{name} is missing, or not positive")
    return number
