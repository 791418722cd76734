"""What the codecs and precisions of `config.yaml` cost and save, against pandas' default.

    python benchmarks/storage.py

Best of several runs of one thread, files in memory; a feature of noise, and prices of two decimals.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from deriv_ops.store import read_result, write_result

RUNS = 20
CODECS = ("none", "lz4", "snappy", "zstd")


def best(function: Callable[[], Any]) -> float:
    """Return the least time of a call in ms."""
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times) * 1e3


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, nargs=2, default=[2600, 1000])
    parser.add_argument("--folder", default="/dev/shm")
    arguments = parser.parse_args()
    pa.set_cpu_count(1)
    rows, columns = arguments.shape
    rng = np.random.default_rng(0)
    dates = pd.bdate_range("2015-01-01", periods=rows, name="date")
    shares = [f"S{i:05d}" for i in range(columns)]
    noise = rng.standard_normal((rows, columns))
    walks = (100 * np.exp((0.02 * noise).cumsum(axis=0))).round(2)
    print(f"{rows} x {columns}{'':20}write ms  read ms       MB")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
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
