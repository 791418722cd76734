"""Every operator against pandas, and against bottleneck and numbagg where they have it.

    .venv/bin/pip install 'bottleneck>=1.6' 'numbagg>=0.9'     # the extra `bench`
    python benchmarks/operators.py                 # all, some minutes
    python benchmarks/operators.py moving_std rank --shape 2600 1000

Best of several calls in ms of the processor's time, of one thread, in one process, of the same
values; in brackets how many times faster ours is. Each library gets the layout that suits it: ours
frames by row, as a job reads them; pandas by column, as it reads Parquet itself; bottleneck and
numbagg the axis that they go along in a piece. What gives another result than ours isn't timed. An
operator has its row by being there; its counterpart in pandas is the function of its name in
`pandas_operators.py`.
"""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import array_operators
import numpy as np
import pandas as pd
import pandas_operators
from snakemake_executor_plugin_dask.server import KEEP_MEMORY

from deriv_ops import op
from deriv_ops.kernels import values
from deriv_ops.kernels.correlation import PairSums
from deriv_ops.operators.declare import Input, Operator

# The oracles of the operators: what equal results are, and an example of each parameter.
sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))
from oracles import assert_same

SECONDS = 0.6
LIBRARIES = ("pandas", *array_operators.LIBRARIES, "numpy")

# What parameters are given where they are taken; the others have their defaults, or what the first
# case of the operator's oracle gives.
PARAMS: dict[str, Any] = {"window": 60, "span": 60.0, "limit": 20, "count": 10, "function": "log"}
PARAMS |= {"seconds": 0.0}
# The tables for inputs of these names; those for others by kind, for the first and further ones.
NAMED = {"high": "high", "low": "low", "close": "prices", "returns": "other", "traded": "traded"}
NAMED |= {"cap": "caps", "weights": "caps"}
KINDS = {"frame": ("growth", "other"), "irregular": ("figures",), "groups": ("sectors",)}
# Further rows of some operators, with other inputs or parameters.
OVER_TIME = {"": {}, "groups over time": {"groups": "clusters"}}
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "rank": {"": {"groups": None, "pct": False}, "within sectors": {"pct": False}},
    "calc_dev_by": {**OVER_TIME, "means": {"do_reduce": True}},
    "zscore_by": OVER_TIME,
    "moving_median": {
        "": {},
        **{f"{n} rows": {"window": n, "min_periods": n // 2} for n in (20, 250, 1000)},
    },
    "get_clusters": {
        "": {"window": None, "min_periods": 60},
        "by correlation": {"on": "correlation", "window": None, "min_periods": 60},
    },
}


@dataclass(frozen=True)
class Theirs:
    """A computation of another library, and how its result is one of ours."""

    call: Callable[[], Any]
    as_ours: Callable[[Any], Any] = lambda result: result


@dataclass(frozen=True)
class Row:
    """A row of the table: ours, and what others have of it."""

    label: str
    ours: Callable[[], pd.DataFrame]
    theirs: Mapping[str, Theirs]
    unit: float = 0.0

    def differences(self, tolerance: float = 1e-5) -> dict[str, str]:
        """Return which libraries give another result, and where.

        Others keep running sums and square what isn't centred, which leaves rounding behind.
        """
        expected, found = self.ours(), {}
        for library, theirs in self.theirs.items():
            result = theirs.as_ours(theirs.call())
            if not isinstance(result, pd.DataFrame):
                result = pd.DataFrame(result, expected.index, expected.columns)
            try:
                assert_same(result, expected, self.unit, tolerance)
            except AssertionError as error:
                found[library] = str(error)
        return found


def frames(rows: int, columns: int) -> dict[str, pd.DataFrame]:
    """Make frames with gaps by name, as ours are laid out; 2600 rows have 120 ends of months."""
    rng = np.random.default_rng(0)
    dates = pd.DatetimeIndex(pd.bdate_range("2014-12-31", periods=rows), freq=None, name="date")
    shares = [f"S{i:05d}" for i in range(columns)]

    def frame(cells: Any) -> pd.DataFrame:
        cells[rng.random(cells.shape) < 0.05] = np.nan
        return pd.DataFrame(cells, dates, shares, copy=False)

    returns, noise, trade = rng.standard_normal((3, rows, columns))
    returns *= 0.02
    walks = 100 * np.exp(returns.cumsum(axis=0))
    months = np.arange(rows) // 21
    clusters = rng.integers(0, 11, (months.max() + 1, columns)).astype(float)[months]
    prices = frame(walks)
    return {
        "growth": frame(np.exp(returns)),
        "other": frame(0.5 * returns + 0.02 * noise),
        "prices": prices,
        "high": prices * (1 + 0.01 * rng.random((rows, columns))),
        "low": prices * (1 - 0.01 * rng.random((rows, columns))),
        "traded": frame(1e6 * np.exp(trade)),
        "caps": prices * 1e9,
        "figures": prices.iloc[::21],
        "sectors": pd.DataFrame({"sector": rng.integers(0, 11, columns).astype(str)}, shares),
        "clusters": frame(clusters),
    }


def by_column(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame as pandas itself lays it out."""
    if not isinstance(frame.index, pd.DatetimeIndex):
        return frame
    return pd.DataFrame(np.asfortranarray(frame), frame.index, frame.columns, copy=False)


def oracle_of(operator: Operator) -> ModuleType | None:
    """Return the oracle of an operator, if it has one."""
    name = f"oracles.{operator.name}"
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def params_of(operator: Operator) -> dict[str, Any]:
    """Return the parameters that an operator is given."""
    defaults, oracle = operator.defaults, oracle_of(operator)
    params = dict(oracle.CASES[0].params) if oracle else {}
    params = {k: v for k, v in params.items() if defaults[k] is inspect.Parameter.empty}
    usual = PARAMS | ({"min_periods": PARAMS["window"] // 2} if "window" in defaults else {})
    for name in usual.keys() & defaults.keys():
        # Another operator may call something else so.
        if not operator.check_params(params | {name: usual[name]})[1]:
            params[name] = usual[name]
    return params


def table_of(declared: Input, place: int) -> str:
    """Return the name of the table that an operator is given in a place."""
    if declared.kind == "frame" and declared.name in NAMED:
        return NAMED[declared.name]
    usual = KINDS[declared.kind]
    return usual[min(place, len(usual) - 1)]


def rows_of(operator: Operator, tables: Mapping[str, pd.DataFrame]) -> Iterator[Row]:
    """Yield the row of an operator, and its further ones."""
    unit = getattr(oracle_of(operator), "UNIT", 0.0)
    function = getattr(pandas_operators, operator.name, None)
    for variant, changed in VARIANTS.get(operator.name, {"": {}}).items():
        label = f"{operator.name}, {variant}" if variant else operator.name
        names = [changed.get(i.name, table_of(i, at)) for at, i in enumerate(operator.inputs)]
        inputs = [None if name is None else tables[name] for name in names]
        params = params_of(operator)
        params |= {name: value for name, value in changed.items() if name in operator.defaults}
        checked, problems = operator.check_params(params)
        assert not problems, problems
        theirs = {
            library: Theirs(call, as_ours)
            for library, call, as_ours in array_operators.counterparts(
                label, operator.kind == "time series", inputs, params
            )
        }
        given = {name: value for name, value in params.items() if value != operator.defaults[name]}
        if function and given.keys() <= inspect.signature(function).parameters.keys():
            columns = [None if table is None else by_column(table) for table in inputs]
            theirs["pandas"] = Theirs(partial(function, *columns, **given))
        yield Row(label, partial(operator.apply, inputs, checked), theirs, unit)


def correlation_matrices(tables: Mapping[str, pd.DataFrame]) -> Iterator[Row]:
    """Yield the correlations of all pairs of shares, which clusters are made of."""
    gaps = tables["other"]
    for label, x in {"": gaps, ", none missing": gaps.fillna(0.0)}.items():

        def ours(x: pd.DataFrame = x) -> pd.DataFrame:
            sums = PairSums(values(x))
            sums.take(0, len(x))
            return pd.DataFrame(sums.correlations(2), x.columns, x.columns)

        theirs = {"pandas": Theirs(by_column(x).corr)}
        if label:
            theirs["numpy"] = Theirs(partial(np.corrcoef, np.ascontiguousarray(x.T)))
        yield Row(f"correlation matrix{label}", ours, theirs, unit=1.0)


def best(function: Callable[[], Any]) -> float:
    """Return the least time of a call in ms."""
    least = spent = 0.0
    while spent < SECONDS:
        began = time.process_time()
        function()
        took = time.process_time() - began
        least = min(least, took) if spent else took
        spent += took
    return least * 1e3


def show(row: Row) -> None:
    """Print a row, as a line of a table in Markdown."""
    differences = row.differences()
    ours = best(row.ours)
    cells = [f"{ours:.1f}"]
    for library in LIBRARIES:
        if library in differences:
            cells.append("differs")
        elif library in row.theirs:
            theirs = best(row.theirs[library].call)
            cells.append(f"{theirs:.1f} ({theirs / ours:.1f}x)")
        else:
            cells.append("")
    print(f"| {' | '.join([row.label, *cells])} |", flush=True)
    for library, difference in differences.items():
        print(f"{row.label} of {library}: {difference}", file=sys.stderr)


def main() -> None:
    """Print the table."""
    if not KEEP_MEMORY.items() <= os.environ.items():
        # As in a job; pandas gains as much by it.
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | KEEP_MEMORY | one)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=[*dir(op), "correlation_matrix"])
    parser.add_argument("--shape", type=int, nargs=2, default=[2600, 1000])
    arguments = parser.parse_args()
    for library in array_operators.MISSING:
        print(f"{library} isn't installed, so nothing is compared with it: pip install {library}\n")
    tables = frames(*arguments.shape)
    print(f"| {' x '.join(map(str, arguments.shape))} | ours | {' | '.join(LIBRARIES)} |")
    print("|---" * (2 + len(LIBRARIES)) + "|")
    for name in arguments.names:
        if name == "correlation_matrix":
            rows = correlation_matrices(tables)
        else:
            rows = rows_of(getattr(op, name), tables)
        for row in rows:
            show(row)


if __name__ == "__main__":
    main()
