"""What it costs to see a run: the records, the view and the report, on the medium catalog.

    python benchmarks/records.py --shares 100 --runs 3

Runs with `--profile local`, in turns with copies of that profile that show no view, and that keep
no records either. All write the report at their end; its time and size are told by themselves, for
that run and for one of full on small tables. The pictures in the results are part of all runs: what
they take is measured on a frame, beside an operator and the writing of the result, picture
included.
"""

from __future__ import annotations

import argparse
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
from snakemake_executor_plugin_dask.records import Records
from snakemake_executor_plugin_dask.task import Outcome

from deriv_ops import op
from deriv_ops.config import read_config
from deriv_ops.report import write_report
from deriv_ops.runs import latest_run
from deriv_ops.sample import write_market
from deriv_ops.sample_tables import write_tables
from deriv_ops.store import write_result
from deriv_ops.summary import summarize

# What the ways to run leave out of the profile.
WAYS = {"all": (), "records": ("logger:",), "neither": ("logger:", "dask-records:")}


def without(settings: tuple[str, ...], profile: Path) -> Path:
    """Write the local profile without some of its settings."""
    lines = (ROOT / "profiles/local/config.yaml").read_text().splitlines(keepends=True)
    profile.mkdir()
    (profile / "config.yaml").write_text("".join(x for x in lines if not x.startswith(settings)))
    return profile


def compare(tables: Path, folder: Path, runs: int) -> None:
    """Print what the ways take, in turns, and how much more than neither."""
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


def line(folder: Path) -> None:
    """Print what the line of a job takes: runs differ by more than all of them together."""
    derivation = {"operator": "moving_mean", "parents": ["a"], "params": {"window": 20}}
    job = SimpleNamespace(
        name="a_moving_mean__window_20",
        jobid=1,
        attempt=1,
        params={"derivation": derivation},
        output=["results/signals/a_moving_mean__window_20.parquet"],
        log=["logs/signals/a_moving_mean__window_20.log"],
        is_group=lambda: False,
    )
    records = Records(folder / "records", "run", {})
    many, outcome = 10_000, Outcome(ok=True, host="host", worker="worker")
    seconds = least(lambda: [records.add(job, 1.0, outcome) for _ in range(many)], 3)
    print(f"line of a job: {seconds / many * 1e6:.0f} us")


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
        compare(tables, folder, arguments.runs)
        report(folder / "all", tables, "medium")
        small, results = folder / "small", folder / "full/results"
        write_market(small, 60, 5, 1)
        write_tables(small, 60, 5, 1)
        results.mkdir(parents=True)
        measured(by_snakemake("ours", "full", small, results), results)
        report(folder / "full", small, "full")
        picture(folder)
        line(folder)


if __name__ == "__main__":
    main()
