"""What it costs to see a run: the records, the view and the report, on the medium catalog.

    python benchmarks/records.py --shares 100 --runs 3

Runs with `--profile local`, in turns with copies of that profile that show no view, and that keep
no records either. Runs of the same kind differ by more than the cost is: so the CPU time of each
part that serves to see a run is measured by itself, and their sum told as a share of a run's. The
pictures in the results are among these. Then the page of that run, and of one of full on small
tables; and what the picture of a frame takes, beside an operator and the writing of the result.
"""

from __future__ import annotations

import argparse
import io
import logging
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from catalogs import ROOT, Measured, by_snakemake, measured
from rich.console import Console
from snakemake.settings.types import OutputSettings
from snakemake_executor_plugin_dask.records import Records
from snakemake_executor_plugin_dask.task import Outcome
from snakemake_interface_logger_plugins.common import LogEvent

from deriv_ops import FileVar, Var, load_catalog, op
from deriv_ops.config import read_config
from deriv_ops.job import as_param
from deriv_ops.report import write_report
from deriv_ops.rules import progress_groups
from deriv_ops.runs import latest_run, read_run
from deriv_ops.sample import write_market
from deriv_ops.sample_tables import write_tables
from deriv_ops.store import write_result
from deriv_ops.summary import summarize
from snakemake_logger_plugin_catalog import LogHandler, LogHandlerSettings
from snakemake_logger_plugin_catalog.tables import tables
from snakemake_logger_plugin_catalog.view import FRAME_SECONDS

# What the ways to run leave out of the profile.
WAYS = {"all": (), "records": ("logger",), "neither": ("logger", "dask-records:")}


def without(settings: tuple[str, ...], profile: Path) -> Path:
    """Write the local profile without some of its settings."""
    lines = (ROOT / "profiles/local/config.yaml").read_text().splitlines(keepends=True)
    profile.mkdir()
    (profile / "config.yaml").write_text("".join(x for x in lines if not x.startswith(settings)))
    return profile


def compare(tables: Path, folder: Path, runs: int) -> Measured:
    """Print what the ways take, in turns, and how much more than neither.

    Returns the fastest run with all."""
    profiles = {way: without(left, folder / f"profile-{way}") for way, left in WAYS.items()}
    took: dict[str, list[Measured]] = {way: [] for way in profiles}
    for _ in range(runs):
        for way, profile in profiles.items():
            results = folder / way / "results"
            shutil.rmtree(results.parent, ignore_errors=True)
            results.mkdir(parents=True)
            command = by_snakemake("ours", "medium", tables, results)
            command[command.index("--profile") + 1] = str(profile)
            took[way].append(measured(command, results))
    for name in ("wall", "cpu"):
        seconds = {way: [getattr(m, name) for m in took[way]] for way in took}
        for way in WAYS:
            each = " ".join(f"{s:.1f}" for s in seconds[way])
            ratios = [a / b - 1 for a, b in zip(seconds[way], seconds["neither"], strict=True)]
            print(f"{name:5}{way:8}{each}   {statistics.median(ratios):+.1%}", flush=True)
    return min(took["all"], key=lambda measured: measured.cpu)


def report(folder: Path, tables: Path, catalog: str) -> None:
    """Print what the report of the last run takes and is."""
    values = {"catalog": f"deriv_ops.catalogs.{catalog}", "inputs_dir": str(tables)}
    values["results_dir"] = str(folder / "results")
    config = read_config(ROOT / "config/config.yaml", values)
    loaded = config.load_catalog()
    run = latest_run(config.results_dir, folder / "logs/runs")
    page = folder / "page.html"
    seconds = least(lambda: write_report(page, loaded, config, run), 3)
    print(f"report of {catalog}: {seconds:.2f} s, {page.stat().st_size / 1e6:.2f} MB")


def picture(folder: Path) -> None:
    """Print what the picture of a frame takes, and an operator on it, and writing the result."""
    rng = np.random.default_rng(0)
    dates = pd.bdate_range("2012-01-02", periods=2600, name="date")
    frame = pd.DataFrame(rng.random((2600, 1000)), dates, [f"S{i}" for i in range(1000)])
    made = {
        "picture": lambda: summarize(frame),
        "moving_std": lambda: op.moving_std(frame, window=60),
        "writing": lambda: write_result(folder / "frame.parquet", frame, {}),
    }
    print("  ".join(f"{name} {least(do, 5) * 1e3:.1f} ms" for name, do in made.items()))


def costs(catalog: str, dates: int, shares: int, wall: float, folder: Path) -> dict[str, float]:
    """Return the CPU seconds of all that serves to see a run of a catalog, part by part.

    The lines of its record; what the view does with Snakemake's events, and its frames in so many
    seconds; the page; the pictures of its results, which are of so many dates and shares.
    """
    loaded = load_catalog(f"deriv_ops.catalogs.{catalog}")
    jobs = [_job(variable) for variable in loaded]
    outcome = Outcome(ok=True, host="host", worker="worker", started=time.time())
    records = Records(folder / "logs/runs", "run", {"config": {"results_dir": str(folder)}})

    def write() -> None:
        for job in jobs:
            records.submit(job)
            records.add(job, 1.0, outcome)

    parts = {"lines": least(write, 3)}
    run = read_run(records.path)
    config = read_config(
        ROOT / "config/config.yaml",
        {"catalog": f"deriv_ops.catalogs.{catalog}", "results_dir": str(folder)},
    )
    handler = LogHandler(OutputSettings(), LogHandlerSettings())
    handler.setFormatter(logging.Formatter())
    handler.is_shown = False
    progress = handler.progress
    progress.rules = progress_groups(loaded)

    def follow() -> None:
        progress.follow(str(records.path), str(folder), 4)
        progress.begin({job.name: 1 for job in jobs})
        for job in jobs:
            about = {"jobid": job.jobid, "rule_name": job.name, "local": False}
            handler.emit(logging.makeLogRecord({"event": LogEvent.JOB_INFO, **about}))
            event = {"event": LogEvent.JOB_FINISHED, "job_id": job.jobid}
            handler.emit(logging.makeLogRecord(event))
        progress.poll()

    parts["events"] = least(follow, 3)
    console = Console(file=io.StringIO(), force_terminal=True, width=200, height=50)
    frame = least(lambda: console.print(tables(progress, 200, 50)), 5)
    parts["frames"] = frame * wall / FRAME_SECONDS
    rng = np.random.default_rng(0)
    days = pd.bdate_range("2012-01-02", periods=dates, name="date")
    values = pd.DataFrame(rng.random((dates, shares)), days, [f"S{i}" for i in range(shares)])
    parts["pictures"] = least(lambda: summarize(values), 5) * len(jobs)
    parts["page"] = least(lambda: write_report(folder / "page.html", loaded, config, run), 3)
    return parts


def _job(variable: FileVar | Var) -> SimpleNamespace:
    return SimpleNamespace(
        name=str(variable.name),
        jobid=id(variable),
        attempt=1,
        params={"derivation": as_param(variable)},
        input=["a"],
        output=[f"results/{variable.folder}/{variable.name}.parquet"],
        log=[f"logs/{variable.folder}/{variable.name}.log"],
        is_group=lambda: False,
    )


def least(do: Callable[[], object], times: int) -> float:
    """Return the least CPU seconds of some times."""
    seconds = []
    for _ in range(times):
        began = time.process_time()
        do()
        seconds.append(time.process_time() - began)
    return min(seconds)


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dates", type=int, default=2600)
    parser.add_argument("--shares", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        tables = folder / "tables"
        write_market(tables, arguments.dates, arguments.shares, 1)
        write_tables(tables, arguments.dates, arguments.shares, 1)
        whole = compare(tables, folder, arguments.runs)
        parts = costs("medium", arguments.dates, arguments.shares, whole.wall, folder / "costs")
        told = "  ".join(f"{part} {seconds:.2f} s" for part, seconds in parts.items())
        share = sum(parts.values()) / whole.cpu
        print(
            f"{told}: {share:.1%} of the CPU time of a run, {whole.cpu:.1f} s in {whole.wall:.1f}"
        )
        report(folder / "all", tables, "medium")
        small, results = folder / "small", folder / "full/results"
        write_market(small, 60, 5, 1)
        write_tables(small, 60, 5, 1)
        results.mkdir(parents=True)
        measured(by_snakemake("ours", "full", small, results), results)
        report(folder / "full", small, "full")
        picture(folder)


if __name__ == "__main__":
    main()
