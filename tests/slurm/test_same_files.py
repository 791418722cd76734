"""The toy model and 300 derivations by each way: the files are those of the local way."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, copy_checkout, edit, snakemake

from .daemons import Slurm, run
from .launch import MODULE, mpirun, submit

pytestmark = [pytest.mark.slurm, pytest.mark.mpi]

# A sample market just large enough, and what is configured for each catalog.
SAMPLE = ["sample_dates=300", "sample_shares=12"]
CATALOGS = {"toy": [], "many": ["catalog=config/many.py"]}
COUNTS = {"toy": 11, "many": 300}
# Those of the many that are Slurm jobs: one by itself, and what shares another.
ALONE = "ranks__means__returns__period_1__window_2"
LAST = [f"by_sector__means__returns__period_10__window_{window}" for window in range(2, 10)]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the results of both catalogs, computed on this machine."""
    folder = copy_checkout(tmp_path_factory.mktemp("same") / "project")
    shutil.copy(ROOT / "tests/slurm/many.py", folder / "config")
    toy = folder / "deriv_ops/catalogs/toy.py"
    edit(toy, "fin_pricez1d, {})", "fin_pricez1d, {'seconds': 0})")
    edit(folder / "profiles/mpi/run.sh", "interface=ib0", "interface=lo")
    (folder / "logs").mkdir()
    # As `make setup` does.
    (folder / "myria").symlink_to("profiles/myria")
    (folder / "local").symlink_to("profiles/local")
    for catalog, config in CATALOGS.items():
        options = ["--config", f"results_dir=expected/{catalog}", *SAMPLE, *config]
        snakemake("--profile", "local", *options, cwd=folder, PYTHONPATH=str(folder))
    return folder


def by_workers(folder: Path, *arguments: str) -> None:
    """Workers in Slurm jobs, with the talk's jobqueue.yaml."""
    printed = snakemake("--profile", "myria", *arguments, cwd=folder, PYTHONPATH=str(folder)).stdout
    assert "Slurm, 2 jobs" in printed and "7 x 4 threads" in printed, printed


def by_allocation(folder: Path, *arguments: str) -> None:
    """The run, the scheduler and the workers inside one allocation."""
    job, printed = submit(folder, "profiles/myria/run.sh", *arguments)
    assert f"2 nodes of Slurm job {job}, 56 threads" in printed, printed


def by_jobs(folder: Path, *arguments: str) -> None:
    """A Slurm job for each of the few. Of the many nearly all by workers; the last ones share one
    job, but for one that is to be alone.
    """
    grouped, jobs = [], COUNTS["toy"]
    if "catalog=config/many.py" in arguments:
        names = {Path(path).stem for path in files(folder / "expected/many")}
        (folder / "small.txt").write_text("\n".join(names - {ALONE, *LAST}))
        by_workers(folder, *arguments, "vars_to_launch=small.txt")
        grouped, jobs = ["group_by=level", "--groups", f"{ALONE}=alone"], 2
    options = ["--profile", "profiles/myria-jobs", *arguments, *grouped]
    printed = snakemake(*options, cwd=folder, timeout=240, PYTHONPATH=str(folder)).stdout
    submitted = re.findall(r"has been submitted with SLURM jobid (\d+)", printed)
    assert len(submitted) == len(set(submitted)) == jobs, printed
    states = run("sacct", "-X", "-n", "-P", "-o", "State", "-j", ",".join(submitted)).split()
    assert states == ["COMPLETED"] * jobs


def by_mpi(folder: Path, *arguments: str) -> None:
    """The run, the scheduler and the workers in one MPI context."""
    process = mpirun(*MODULE, "--profile", "profiles/mpi", *arguments, ranks=3, cwd=folder)
    assert process.wait() == 0, (folder / "printed").read_text()


def by_heterogeneous_job(folder: Path, *arguments: str) -> None:
    """Workers alone under MPI with a scheduler file, in the second part of a Slurm job."""
    job, printed = submit(folder, "profiles/mpi/run.sh", *arguments)
    assert re.search(rf"cluster at tls://127.0.0.1:\d+ .*mpi-{job}/scheduler.json", printed), (
        printed
    )


WAYS = [by_workers, by_allocation, by_jobs, by_mpi, by_heterogeneous_job]


@pytest.mark.parametrize("catalog", CATALOGS)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_files_are_those_of_the_local_way(
    checkout: Path,
    slurm: Slurm,
    site: None,
    catalog: str,
    way: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
):
    path = os.pathsep.join([str(checkout), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    expected = checkout / "expected" / catalog
    inputs = f"inputs_dir=expected/{catalog}/sample_market"
    made = Path(way.__name__, catalog)
    way(checkout, "--config", f"results_dir={made}", inputs, *CATALOGS[catalog])
    assert files(checkout / made) == files(expected)
    assert len(files(expected)) == COUNTS[catalog]
    assert not slurm.jobs()


def files(folder: Path) -> dict[str, bytes]:
    """Return the results, without the sample market's tables, which lie deeper."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("*/*.parquet")}
