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
from .launch import MODULE, mpirun, set_up, submit

pytestmark = [pytest.mark.slurm, pytest.mark.mpi]

# A sample market just large enough, and what is configured for each catalog.
SAMPLE = ["sample_dates=300", "sample_shares=12"]
CATALOGS = {"toy": [], "many": ["catalog=config/many.py"]}
COUNTS = {"toy": 11, "many": 300}
# Those of the many that Slurm jobs make, where not all: one by itself, and what shares another.
ALONE = "ranks__means__returns__period_1__window_2"
LAST = [f"by_sector__means__returns__period_10__window_{window}" for window in range(2, 6)]


# Where tests are spread over processes, a catalog's are one after the other in one of them.
@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in CATALOGS],
)
def catalog(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def checkout(catalog: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the results of a catalog, computed on this machine."""
    folder = copy_checkout(tmp_path_factory.mktemp("same") / "project")
    shutil.copy(ROOT / "tests/slurm/many.py", folder / "config")
    toy = folder / "deriv_ops/catalogs/toy.py"
    edit(toy, "fin_pricez1d, {})", "fin_pricez1d, {'seconds': 0})")
    edit(folder / "profiles/mpi/run.sh", "interface=ib0", "interface=lo")
    set_up(folder)
    options = ["--config", "results_dir=expected", *SAMPLE, *CATALOGS[catalog]]
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
    """A Slurm job for each of the few. Of the many the last ones share one job, but for one that is
    to be alone; the others are there already.
    """
    grouped, jobs = [], COUNTS["toy"]
    if "catalog=config/many.py" in arguments:
        shutil.copytree(folder / "expected/basic", folder / "by_jobs/basic")
        shutil.copytree(folder / "expected/many", folder / "by_jobs/many")
        for name in (ALONE, *LAST):
            (folder / f"by_jobs/many/{name}.parquet").unlink()
        grouped, jobs = ["group_by=level", "--groups", f"{ALONE}=alone"], 2
    submit_jobs(folder, jobs, *arguments, *grouped)


def submit_jobs(folder: Path, jobs: int, *arguments: str) -> None:
    """A run whose Slurm jobs are so many, and end well."""
    options = ["--profile", "profiles/myria-jobs", *arguments]
    printed = snakemake(*options, cwd=folder, timeout=3600, PYTHONPATH=str(folder)).stdout
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


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_files_are_those_of_the_local_way(
    checkout: Path,
    slurm: Slurm,
    site: None,
    catalog: str,
    way: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
):
    check(way, catalog, checkout, monkeypatch)
    assert not slurm.jobs()


@pytest.mark.thorough
@pytest.mark.parametrize(
    "catalog", [pytest.param("many", marks=pytest.mark.xdist_group("many"))], indirect=True
)
def test_all_of_many_as_jobs_of_a_level(
    checkout: Path, slurm: Slurm, site: None, catalog: str, monkeypatch: pytest.MonkeyPatch
):
    check(by_levels, catalog, checkout, monkeypatch)
    assert not slurm.jobs()


def by_levels(folder: Path, *arguments: str) -> None:
    """All of the many in Slurm jobs of up to 50, level by level: 3 of them, 17, 120 and 160."""
    few = ["--default-resources", "slurm_partition=tcourt_intra", "runtime=5", "cpus_per_task=4"]
    submit_jobs(folder, 1 + 1 + 3 + 4, *arguments, "group_by=level", *few)


def check(
    way: Callable[..., None], catalog: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run a catalog in a way, and compare its files."""
    # A test may be tried again.
    shutil.rmtree(folder / way.__name__, ignore_errors=True)
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    inputs = "inputs_dir=expected/sample_market"
    way(folder, "--config", f"results_dir={way.__name__}", inputs, *CATALOGS[catalog])
    expected = files(folder / "expected")
    assert files(folder / way.__name__) == expected
    assert len(expected) == COUNTS[catalog]


def files(folder: Path) -> dict[str, bytes]:
    """Return the results, without the sample market's tables, which lie deeper."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("*/*.parquet")}
