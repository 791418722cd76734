"""Every operator against pandas, and against bottleneck and numbagg where they have it.

    python benchmarks/operators.py                 # all, some minutes
    python benchmarks/operators.py moving_std rank --shape 2600 1000

Best of several runs of one thread, in the same process on the same frames. `x` is how many times
faster ours is. An operator appears here by being there; `pandas_operators.py` has its counterpart.
"""

from __future__ import annotations

import argparse
import inspect
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pandas_operators
from snakemake_executor_plugin_dask.server import KEEP_MEMORY

from deriv_ops import op
from deriv_ops.operators.declare import Operator

# What parameters without a default are given, and what frames inputs of some names are.
PARAMS: dict[str, Any] = {"window": 60, "min_periods": 30, "span": 60, "quantile": 0.25}
PARAMS |= {"count": 300, "how": ">", "function": "log", "limit": 20, "seconds": 0.0}
SECONDS = 0.6


def frames(rows: int, columns: int) -> dict[str, pd.DataFrame]:
    """Prices with gaps, and what operators take beside them."""
    rng = np.random.default_rng(0)
    dates = pd.bdate_range("2015-01-01", periods=rows, name="date")
    shares = [f"S{i:05d}" for i in range(columns)]

    def frame(values: Any) -> pd.DataFrame:
        values[rng.random(values.shape) < 0.05] = np.nan
        return pd.DataFrame(values, dates, shares, copy=False)

    returns = 0.02 * rng.standard_normal((rows, columns))
    prices = frame(100 * np.exp(returns.cumsum(axis=0)))
    labels = rng.integers(0, 11, columns)
    other = frame(0.5 * returns + 0.02 * rng.standard_normal((rows, columns)))
    return {
        "x": frame(returns),
        "y": other,
        "prices": prices,
        "high": prices * 1.01,
        "low": prices * 0.99,
        "close": prices,
        "returns": other,
        "traded": prices * 1e6,
        "cap": prices * 1e9,
        "weights": prices * 1e9,
        "condition": other,
        "exposures": other,
        "others": other,
        "groups": pd.DataFrame({"sector": labels.astype(str)}, shares),
        "table": prices.iloc[::21],
    }


def best(function: Callable[[], Any]) -> float:
    """Return the least time of a call in ms."""
    function()
    least, until = np.inf, time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        began = time.perf_counter()
        function()
        least = min(least, time.perf_counter() - began)
    return least * 1e3


def libraries(name: str, x: pd.DataFrame, params: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """What other libraries have of this operator."""
    found: dict[str, Callable[[], Any]] = {}
    if name == "moving_cov":
        return found  # theirs takes the two frames in another way
    window, least = params.get("window"), params.get("min_periods")
    try:
        import bottleneck

        values = np.asfortranarray(x.to_numpy())
        moving = {"moving_average": "mean", "moving_argmax": "argmax", "moving_argmin": "argmin"}
        call = getattr(bottleneck, f"move_{moving.get(name, name.removeprefix('moving_'))}", None)
        if call and name.startswith("moving_"):
            found["bottleneck"] = partial(call, values, window, min_count=least, axis=0)
        if name == "rank":
            found["bottleneck"] = partial(bottleneck.nanrankdata, x.to_numpy(), axis=1)
    except ImportError:
        pass
    try:
        import numbagg

        by_share = np.ascontiguousarray(x.to_numpy().T)
        moving = {"moving_average": "mean"}
        call = getattr(numbagg, f"move_{moving.get(name, name.removeprefix('moving_'))}", None)
        if call and name.startswith("moving_"):
            found["numbagg"] = partial(call, by_share, window=window, min_count=least, axis=1)
        if name in ("ewmmean", "ewmstd", "ewmvar"):
            exponential = getattr(numbagg, "move_exp_nan" + name.removeprefix("ewm"))
            alpha = 2 / (params["span"] + 1)
            found["numbagg"] = partial(exponential, by_share, alpha=alpha, axis=1)
    except ImportError:
        pass
    return found


def row(operator: Operator, tables: dict[str, pd.DataFrame]) -> None:
    """Print what an operator takes."""
    empty = inspect.Parameter.empty
    needed = {name for name, value in operator.defaults.items() if value is empty}
    needed |= {"window", "min_periods"} & set(operator.defaults)
    chosen = {name: value for name, value in PARAMS.items() if name in needed}
    inputs = [tables[i.name] for i in operator.inputs]
    if operator.inputs[0].name == "x" and operator.name in ("zscore", "log_return", "drawdown"):
        inputs[0] = tables["prices"]
    params = operator.check_params(chosen)[0]
    ours = best(lambda: operator.apply(inputs, params))
    function = getattr(pandas_operators, operator.name, None)
    theirs = {"pandas": lambda: function(*inputs, **chosen)} if function else {}
    theirs |= libraries(operator.name, inputs[0], chosen)
    times = {name: best(call) for name, call in theirs.items()}
    shown = "  ".join(f"{times[n]:9.1f} {times[n] / ours:6.1f}x" if n in times else " " * 17
                      for n in ("pandas", "bottleneck", "numbagg"))  # fmt: skip
    print(f"{operator.name:20}{ours:9.1f}  {shown}", flush=True)


def main() -> None:
    """Print the table."""
    if not KEEP_MEMORY.items() <= os.environ.items():
        # As in a job; pandas gains as much by it.
        one = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | KEEP_MEMORY | one)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=dir(op))
    parser.add_argument("--shape", type=int, nargs=2, default=[2600, 1000])
    arguments = parser.parse_args()
    tables = frames(*arguments.shape)
    print(f"{'ms for ' + ' x '.join(map(str, arguments.shape)):20}{'ours':>9}"
          f"{'pandas':>12}{'':8}{'bottleneck':>12}{'':6}{'numbagg':>12}")  # fmt: skip
    for name in arguments.names:
        row(getattr(op, name), tables)


if __name__ == "__main__":
    main()
