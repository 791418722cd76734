"""What it costs to read and write results: a whole job, and each codec and precision.

    python benchmarks/storage.py

The least of several runs of one thread, files in memory. A job reads a derivation, takes its
standard deviation over 60 rows and writes it, by this project and by pandas, in ms of CPU; codecs
are tried on a feature of noise and on prices of two decimals, against pandas' default.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from snakemake_executor_plugin_dask.server import KEEP_MEMORY

from deriv_ops import op
from deriv_ops.store import read_result, write_result

RUNS = 20
CODECS = ("none", "lz4", "snappy", "zstd")


def best(function: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the least time of a call in ms."""
    times = []
    for _ in range(RUNS):
        began = clock()
        function()
        times.append(clock() - began)
    return min(times) * 1e3


def job(folder: Path, frame: pd.DataFrame) -> None:
    """Print what a job takes, ours and by pandas."""
    ours, theirs, out = (folder / f"{name}.parquet" for name in ("ours", "theirs", "out"))
    write_result(ours, frame, {})
    frame.to_parquet(theirs)
    read, read_by_pandas = read_result(ours).frame, pd.read_parquet(theirs)
    params = {"window": 60, "min_periods": 30}
    made = op.moving_std(read, **params)
    by_pandas = read_by_pandas.rolling(**params).std()
    steps = {
        "read": (lambda: read_result(ours), lambda: pd.read_parquet(theirs)),
        "compute": (
            lambda: op.moving_std(read, **params),
            lambda: read_by_pandas.rolling(**params).std(),
        ),
        "write": (lambda: write_result(out, made, {}), lambda: by_pandas.to_parquet(out)),
        "all": (
            lambda: write_result(out, op.moving_std(read_result(ours).frame, **params), {}),
            lambda: pd.read_parquet(theirs).rolling(**params).std().to_parquet(out),
        ),
    }
    print(f"{'a job, CPU':28}{'ours ms':>9}{'pandas ms':>11}")
    for step, ways in steps.items():
        mine, pandas = (best(way, time.process_time) for way in ways)
        print(f"{step:28}{mine:9.1f}{pandas:11.1f}{pandas / mine:8.1f}x", flush=True)
    print()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, nargs=2, default=[2600, 1000])
    parser.add_argument("--folder", default="/dev/shm")
    arguments = parser.parse_args()
    if not KEEP_MEMORY.items() <= os.environ.items():
        # As a process that runs one job after the other: memory is in use already.
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | KEEP_MEMORY)
    pa.set_cpu_count(1)
    rows, columns = arguments.shape
    rng = np.random.default_rng(0)
    dates = pd.bdate_range("2015-01-01", periods=rows, name="date")
    shares = [f"S{i:05d}" for i in range(columns)]
    noise = rng.standard_normal((rows, columns))
    walks = (100 * np.exp((0.02 * noise).cumsum(axis=0))).round(2)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        job(Path(folder), pd.DataFrame(noise, dates, shares, copy=False))
        print(f"{rows} x {columns}{'':20}write ms  read ms       MB")
        path = Path(folder, "frame.parquet")
        for kind, values in (("noise", noise), ("prices", walks)):
            frame = pd.DataFrame(values, dates, shares, copy=False)
            ways: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
                f"{precision}, {codec}": (
                    partial(write_result, path, frame.astype(precision), {}, codec),
                    partial(read_result, path),
                )
                for precision in ("float64", "float32")
                for codec in CODECS
            }
            ways["pandas' default"] = (
                partial(frame.to_parquet, path),
                partial(pd.read_parquet, path),
            )
            for way, (write, read) in ways.items():
                size = (write(), path.stat().st_size)[1]
                print(
                    f"{kind:8}{way:22}{best(write):9.1f}{best(read):9.1f}{size / 1e6:9.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
