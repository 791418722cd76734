"""Each derivation a Slurm job, by snakemake-executor-plugin-slurm."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import copy_checkout, snakemake

from .daemons import Slurm

pytestmark = pytest.mark.slurm


def test_blocks_are_as_many_as_the_job_has_cores(slurm: Slurm, site: None, tmp_path: Path):
    folder = copy_checkout(tmp_path / "project")
    name = "fin_rdt_1d_all"
    sample = ["--config", "sample_dates=600", "sample_shares=9000", "memory_mb=4000"]
    snakemake("--profile", "profiles/local", name, *sample, cwd=folder, PYTHONPATH=str(folder))
    [result] = folder.glob(f"results/*/{name}.parquet")
    expected = result.read_bytes()
    arguments = ["--profile", "profiles/myria-jobs", name, *sample, "--forcerun", name]
    few = ["--set-resources", f"{name}:mem_mb=450", f"{name}:cpus_per_task=2"]
    snakemake(*arguments, *few, cwd=folder, PYTHONPATH=str(folder), timeout=240)
    [log] = (folder / "logs").glob(f"**/{name}.log")
    assert "more than fits into 450 MB: block by block, 2 at a time" in log.read_text()
    assert result.read_bytes() == expected


def test_partition_that_is_not_there(slurm: Slurm, site: None, tmp_path: Path):
    folder = copy_checkout(tmp_path / "project")
    snakemake("--profile", "profiles/local", "fin_rdt_1d_all", cwd=folder, PYTHONPATH=str(folder))
    arguments = ["--profile", "profiles/myria-jobs", "fin_rdt_1d_all", "--force"]
    arguments += ["--default-resources", "slurm_partition=nope", "mem_mb=1000"]
    done = snakemake(*arguments, cwd=folder, PYTHONPATH=str(folder), timeout=240, check=False)
    assert done.returncode == 1
    assert "invalid partition specified: nope" in done.stdout
