"""Whole catalogs by four engines, on the same machine, tables and run.

    python benchmarks/catalogs.py --shares 200                      # results in memory-backed files
    python benchmarks/catalogs.py --shares 1000 --folder /scratch --engines ours --catalogs medium

* memory: pandas operators in one process, nothing written;
* futures: the design of the talk, a lazy wrapper that submits pandas operators to Dask and keeps
  each result with `to_parquet`;
* local: this project with Snakemake's local executor, one process a job;
* ours: this project with `--profile local`.

The pandas operators are those of `pandas_operators.py`. Memory is the sum of what the processes
have for themselves (USS), sampled, and of what is kept in memory for other jobs; CPU that of all
processes. A run has ended when its files are on the disk, if that is where they go. Of the results,
some are compared with those of the other engines; if any but ranks differ, the command fails.

*limit* is the least that the machine would need for ours: the larger of the CPU time of reading the
tables and of the operators alone, in one process with nothing kept that isn't needed, over the
number of CPUs, and of the bytes written over the measured speed of writing them.

With `--json FILE` the measures are added to a file of JSON lines, from which `plots.py` draws.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

ROOT = Path(__file__).parent.parent
# The part of the medium catalog that is about prices.
PRICES = ("Returns", "Risk", "Prices", "Liquidity")
ENGINES = ("memory", "futures", "local", "ours")
# How many results are compared.
SAMPLED = 40


@dataclass
class Measured:
    """What a run took: seconds, seconds, MB, MB."""

    wall: float
    cpu: float
    memory: float
    written: float


def names_of(catalog: str) -> tuple[str, list[str]]:
    """Return the module of a catalog and the variables of it to compute; none are all."""
    from deriv_ops import load_catalog

    if catalog != "prices":
        return f"deriv_ops.catalogs.{catalog}", []
    module = "deriv_ops.catalogs.medium"
    chosen = [v.name for v in load_catalog(module) if v.owner and v.owner.__name__ in PRICES]
    return module, [str(name) for name in chosen]


def wanted_of(catalog: str, tables: Path) -> list:
    """Return the variables to compute with all that they need, parents first."""
    from deriv_ops import Var, load_catalog

    module, names = names_of(catalog)
    loaded = load_catalog(module, tables)
    wanted, waiting = set(), [*loaded.select(names)]
    while waiting:
        variable = waiting.pop()
        wanted.add(variable)
        waiting += variable.parents if isinstance(variable, Var) else ()
    return [variable for variable in loaded if variable in wanted]


def by_kernels(catalog: str, tables: Path) -> None:
    """Print the CPU seconds of reading the tables and of the operators."""
    from deriv_ops import Var
    from deriv_ops.job import read_input

    variables = wanted_of(catalog, tables)
    users = Counter(p for v in variables if isinstance(v, Var) for p in v.parents)
    done, seconds = {}, 0.0
    for variable in variables:
        parents = variable.parents if isinstance(variable, Var) else ()
        began = time.process_time()
        if isinstance(variable, Var):
            frame = variable.operator(*[done[p] for p in parents], **variable.params)
        else:
            frame = read_input(tables / variable.filename, variable.reader)
        seconds += time.process_time() - began
        for parent in parents:
            users[parent] -= 1
            if not users[parent]:
                del done[parent]
        if users[variable]:
            done[variable] = frame
    print(seconds)


def by_pandas(catalog: str, tables: Path, results: Path | None) -> None:
    """Compute with pandas: in this process, or by Dask with the results in files."""
    import pandas_operators

    from deriv_ops import Var
    from deriv_ops.job import read_input

    def computed(variable, frames, target):
        if isinstance(variable, str):
            frame = read_input(Path(variable))
        else:
            name, params = variable
            first, *others = frames
            others = [
                other.reindex(index=first.index, columns=first.columns)
                if isinstance(other.index, pd.DatetimeIndex) and name != "as_of"
                and other.shape[1] > 1 else other
                for other in others
            ]  # fmt: skip
            frame = getattr(pandas_operators, name)(first, *others, **params)
        if target:
            frame.to_parquet(target)
        return frame

    client = None
    if results:
        from distributed import Client

        client = Client(dashboard_address=None)
    done = {}
    for variable in wanted_of(catalog, tables):
        if isinstance(variable, Var):
            parents = [done[p] for p in variable.parents]
            operator = variable.operator
            params = operator.check_params(variable.params)[0]
            # Counterparts don't have all the parameters, but their defaults are the same.
            given = {k: v for k, v in params.items() if v != operator.defaults[k]}
            what = operator.name, given
        else:
            parents, what = [], str(tables / variable.filename)
        target = str(results / f"{variable.name}.parquet") if results else None
        call = (what, parents, target)
        done[variable] = client.submit(computed, *call, pure=False) if client else computed(*call)
    if client:
        for future in done.values():
            future.result()
        client.close()


def by_snakemake(engine: str, catalog: str, tables: Path, results: Path) -> list[str]:
    """Return the command that computes with this project."""
    module, names = names_of(catalog)
    configured = [f"catalog={module}", f"inputs_dir={tables}", f"results_dir={results}"]
    launch = results.parent / "names.txt"
    launch.write_text("\n".join(names))
    command = [sys.executable, "-m", "snakemake", "--directory", str(results.parent)]
    command += ["--snakefile", str(ROOT / "Snakefile"), "--quiet", "all"]
    if engine == "ours":
        command += ["--profile", str(ROOT / "profiles/local"), "--scheduler", "dask"]
    else:
        command += ["--executor", "local", "--scheduler", "greedy"]
        command += ["--cores", str(len(os.sched_getaffinity(0)))]
    configured += [f"vars_to_launch={launch}"] if names else []
    return [*command, "--configfile", str(ROOT / "config/config.yaml"), "--config", *configured]


def measured(command: list[str], results: Path) -> Measured:
    """Run a command and measure it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    with Path(results.parent, "output.txt").open("w") as output:
        process = psutil.Popen(
            command,
            cwd=results.parent,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"},
        )
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, _memory(process))
            time.sleep(0.5)
    os.sync()
    wall = time.perf_counter() - began
    if process.returncode:
        sys.exit(Path(results.parent, "output.txt").read_text()[-3000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    written = sum(f.stat().st_size for f in results.rglob("*.parquet")) / 1e6
    return Measured(wall, cpu, peak, written)


def _memory(process: psutil.Process) -> float:
    # What jobs hand over to others is in files in memory, which belong to no process.
    total = sum(
        file.stat().st_size
        for file in Path("/dev/shm").glob(f"snakemake-dask-{os.getuid()}-*/*")
        if file.exists()
    )
    with suppress(psutil.Error):
        for one in [process, *process.children(recursive=True)]:
            with suppress(psutil.Error):  # it has just ended
                total += one.memory_full_info().uss
    return total / 1e6


def sampled(names: list[str], results: Path) -> dict[str, pd.DataFrame]:
    """Return some results of an engine, those of every so many derivations."""
    chosen = names[:: max(1, len(names) // SAMPLED)]
    found = {name: next(results.rglob(f"{name}.parquet"), None) for name in chosen}
    return {name: pd.read_parquet(path) for name, path in found.items() if path}


def differing(ours: dict[str, pd.DataFrame], theirs: dict[str, pd.DataFrame]) -> dict[str, float]:
    """Return the share of the cells of each result that differ by more than rounding."""
    shares = {}
    for name, frame in theirs.items():
        if not all(dtype.kind == "f" for dtype in ours[name].dtypes):
            shares[name] = float(not frame.equals(ours[name]))  # a table of text, as it came
            continue
        a, b = ours[name].to_numpy(), frame.reindex_like(ours[name]).to_numpy()
        size = np.nanmedian(np.abs(a)) if np.isfinite(a).any() else 0.0
        near = np.isclose(a, b, rtol=1e-6, atol=1e-6 * size, equal_nan=True)
        shares[name] = 1 - float(near.mean())
    return {name: share for name, share in shares.items() if share > 1e-4}


def is_rank(variable) -> bool:
    """Whether a variable is made by the operator `rank`."""
    from deriv_ops import Var

    return isinstance(variable, Var) and variable.operator.name == "rank"


def limits(folder: Path) -> tuple[float, float]:
    """Print what the machine can do. Returns the bytes that it copies and writes in a second."""
    values = np.ones(25_000_000)
    other = np.empty_like(values)
    copy = min(_timed(lambda: np.copyto(other, values)) for _ in range(5))

    def write() -> None:
        with (folder / "sequential").open("wb") as file:
            for _ in range(5):
                file.write(values)
            file.flush()
            os.fsync(file.fileno())

    written = _timed(write)
    (folder / "sequential").unlink()
    size = values.nbytes / 1e9
    print(f"memory copy {size / copy:.1f} GB/s; sequential write {5 * size / written:.2f} GB/s")
    return values.nbytes / copy, 5 * values.nbytes / written


def _timed(function) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def main() -> None:
    """Run the engines one after the other and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dates", type=int, default=2600)
    parser.add_argument("--shares", type=int, default=200)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--catalogs", nargs="*", default=["toy", "prices", "medium"])
    parser.add_argument("--engines", nargs="*", default=ENGINES)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--inside", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        engine, catalog, tables, results = arguments.inside
        if engine == "kernels":
            by_kernels(catalog, Path(tables))
        else:
            by_pandas(catalog, Path(tables), Path(results) if engine == "futures" else None)
        return
    from deriv_ops.sample import write_market
    from deriv_ops.sample_tables import write_tables

    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        tables = folder / "tables"
        write_market(tables, arguments.dates, arguments.shares, 1)
        write_tables(tables, arguments.dates, arguments.shares, 1)
        copied, speed = limits(folder)
        cpus = len(os.sched_getaffinity(0))
        print(f"{arguments.dates} x {arguments.shares}, {cpus} CPUs\n")
        print(f"{'':18}{'wall s':>9}{'CPU s':>9}{'memory MB':>11}{'written MB':>12}{'ours is':>9}")
        failed = False
        for catalog in arguments.catalogs:
            done = {}
            for engine in ["kernels", *reversed(ENGINES)]:
                if engine not in ["kernels", *arguments.engines]:
                    continue
                results = folder / "run" / "results"
                results.mkdir(parents=True)
                if engine in ("memory", "futures", "kernels"):
                    inside = [engine, catalog, str(tables), str(results)]
                    command = [sys.executable, __file__, "--inside", *inside]
                else:
                    command = by_snakemake(engine, catalog, tables, results)
                m = done[engine] = measured(command, results)
                wanted = wanted_of(catalog, tables)
                names = [str(v.name) for v in wanted]
                ranks = {str(v.name) for v in wanted if is_rank(v)}
                if engine == "ours":
                    ours = sampled(names, results)
                elif engine in ("local", "futures") and "ours" in done:
                    theirs = sampled(names, results)
                    other = differing(ours, theirs)
                    # Ranks of what is the same but for rounding differ as they like: shown only.
                    failed |= any(name not in ranks for name in other)
                    print(f"{len(theirs)} results compared with {engine}: {other or 'the same'}")
                if engine == "kernels":
                    work = float((results.parent / "output.txt").read_text())
                else:
                    faster = f"{m.wall / done['ours'].wall:8.2f}x" if "ours" in done else ""
                    print(f"{catalog:9}{engine:9}{m.wall:9.1f}{m.cpu:9.1f}{m.memory:11.0f}"
                          f"{m.written:12.0f}{faster}", flush=True)  # fmt: skip
                shutil.rmtree(results.parent)
            if "ours" in done:
                limit = max(work / cpus, done["ours"].written * 1e6 / speed)
                faster = f"{limit / done['ours'].wall:8.2f}x"
                print(f"{catalog:9}{'limit':9}{limit:9.1f}{work:9.1f}{'':23}{faster}", flush=True)
                done["limit"] = Measured(limit, work, 0, done["ours"].written)
            if arguments.json:
                size = {"catalog": catalog, "shares": arguments.shares}
                lines = [{**size, "engine": e, **asdict(m)} for e, m in done.items()]
                lines.append({**size, "engine": "machine", "copied": copied, "sequential": speed})
                with arguments.json.open("a") as file:
                    file.writelines(json.dumps(line) + "\n" for line in lines)
    if failed:
        sys.exit("results differ")


if __name__ == "__main__":
    main()
