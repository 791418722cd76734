"""Frames that are larger than a job's memory: 2600 x 40,000 with workers of 1 GB.

    python benchmarks/larger_than_memory.py --folder /scratch

One input table and three derivations, by `snakemake --profile local`: once with 1 GB for the worker
and for each rule, once with all the memory of the machine. The files must be the same, byte for
byte. The folder takes 14 times the table (0.8 GB).
"""

from __future__ import annotations

import argparse
import filecmp
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

CATALOG = """
from deriv_ops import AbstractDerivation, FileVar, Var, op


class Wide(AbstractDerivation):
    table = FileVar("table.parquet")
    deviation = Var(op.moving_std, table, {"window": 60, "min_periods": 20})
    ranks = Var(op.rank, deviation)
    mean = Var(op.average, [ranks, deviation, table])
"""
LINE = re.compile(r"INFO (?:\w+\.)*(\w+): .* missing, ([\d.]+) s, at most (\d+) MB")


def write_table(path: Path, rows: int, columns: int) -> None:
    """Write a table of noise with gaps."""
    from deriv_ops.store import write_result

    rng = np.random.default_rng(0)
    values = rng.standard_normal((rows, columns))
    values[rng.random(values.shape) < 0.05] = np.nan
    dates = pd.bdate_range("2015-01-01", periods=rows, name="date")
    shares = [f"S{i:05d}" for i in range(columns)]
    write_result(path, pd.DataFrame(values, dates, shares, copy=False), {})


def run(folder: Path, way: str, arguments: list[str]) -> dict[str, tuple[float, int]]:
    """Return seconds and MB of each derivation."""
    config = [f"catalog={folder / 'catalog.py'}", f"inputs_dir={folder}"]
    config += [f"results_dir={folder / way}", *[a for a in arguments if "=" in a]]
    command = [sys.executable, "-m", "snakemake", "--profile", str(ROOT / "profiles/local")]
    command += [*[a for a in arguments if "=" not in a], "--quiet", "all", "--config", *config]
    subprocess.run(command, cwd=ROOT, check=True, env=os.environ | {"TMPDIR": str(folder)})
    found = {}
    for log in (ROOT / "logs").rglob("*.log"):
        if match := LINE.search(log.read_text()):
            found[match[1]] = (float(match[2]), int(match[3]))
    return {name: found[name] for name in ("table", "deviation", "ranks", "mean")}


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, nargs=2, default=[2600, 40_000])
    parser.add_argument("--mb", type=int, default=1000)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        (folder / "catalog.py").write_text(CATALOG)
        write_table(folder / "table.parquet", *arguments.shape)
        few = ["--dask-threads", "1", "--dask-memory-mb", str(arguments.mb)]
        blocks = run(folder, "blocks", [*few, f"memory_mb={arguments.mb}"])
        whole = run(folder, "whole", ["--dask-threads", "1", "memory_mb=16000"])
        print(f"{'':12}blocks: s      MB   whole: s      MB")
        failed = False
        for one in blocks:
            (path,) = (folder / "blocks").rglob(f"{one}.parquet")
            other = folder / "whole" / path.relative_to(folder / "blocks")
            same = "same file" if filecmp.cmp(path, other, shallow=False) else "DIFFERENT FILES"
            (s, mb), (s2, mb2) = blocks[one], whole[one]
            print(f"{one:12}{s:9.1f}{mb:8}{s2:11.1f}{mb2:8}   {same}")
            failed |= same != "same file"
    if failed:
        sys.exit("files differ")


if __name__ == "__main__":
    main()
