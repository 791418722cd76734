"""What starts runs: Slurm's job scripts, and mpirun."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

PYTHON = [sys.executable, "-P", "-m"]
MODULE = [*PYTHON, "snakemake_executor_plugin_dask.mpi"]


def set_up(folder: Path) -> None:
    """What `make setup` does in a fresh clone, but for the environment."""
    command = ["make", "-s", "-f", str(ROOT / "Makefile"), "-C", str(folder)]
    subprocess.run([*command, "-o", ".venv/ready", "setup"], check=True)


def mpirun(*command: str, ranks: int, cwd: Path) -> subprocess.Popen[str]:
    environment = {"OMPI_MCA_btl": "self,tcp"}
    if os.getuid() == 0:
        environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    launcher = ["mpirun", "-np", str(ranks), "--oversubscribe", "--bind-to", "none"]
    with (cwd / "printed").open("w") as printed:
        return subprocess.Popen(
            ["timeout", "-k", "5", "300", *launcher, *command],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            text=True,
            env={
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("OMPI_", "PMIX_"))
            }
            | environment,
            start_new_session=True,
        )


def submit(folder: Path, script: str, *arguments: str) -> tuple[str, str]:
    """Submit a job script and wait for its end; return the job's id and what it printed."""
    command = ["sbatch", "--parsable", "--wait", f"--chdir={folder}", str(folder / script)]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=600)
    job = done.stdout.strip()
    printed = (folder / f"logs/slurm-{job}.out").read_text()
    assert done.returncode == 0, printed + done.stderr
    return job, printed
