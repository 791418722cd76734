"""Each derivation a Slurm job, by snakemake-executor-plugin-slurm."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import copy_checkout, snakemake

from .daemons import Slurm

pytestmark = pytest.mark.slurm


def test_partition_that_is_not_there(slurm: Slurm, site: None, tmp_path: Path, monkeypatch):
    folder = copy_checkout(tmp_path / "project")
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    snakemake("--profile", "profiles/local", "fin_rdt_1d_all", cwd=folder)
    arguments = ["--profile", "profiles/myria-jobs", "fin_rdt_1d_all", "--force"]
    arguments += ["--default-resources", "slurm_partition=nope", "mem_mb=1000"]
    done = snakemake(*arguments, cwd=folder, timeout=240, check=False)
    assert done.returncode == 1
    assert "invalid partition specified: nope" in done.stdout
