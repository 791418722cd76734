"""What bottleneck and numbagg have of the operators, for `operators.py`.

By row of the table: a function of the inputs as arrays and of the parameters. The axis that it goes
along is the last one and lies in a piece: shares x dates along time, dates x shares across shares.
"""

from __future__ import annotations

import importlib.util
from functools import cache, partial

import numpy as np
import pandas as pd

LIBRARIES = ("bottleneck", "numbagg")
MISSING = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]


def _moving(function, **fixed):
    def call(*inputs, window, min_periods):
        return function(*inputs, window=window, min_count=min_periods, axis=-1, **fixed)

    return call


def _exponential(function):
    return lambda *inputs, span: function(*inputs, alpha=2 / (span + 1), axis=-1)


def _bottleneck():
    import bottleneck

    names = ("sum", "min", "max", "median", "argmin", "argmax", "rank")
    found = {f"moving_{name}": _moving(getattr(bottleneck, f"move_{name}")) for name in names}
    return found | {
        **{f"moving_median, {rows} rows": found["moving_median"] for rows in (20, 250, 1000)},
        "moving_average": _moving(bottleneck.move_mean),
        "moving_std": _moving(bottleneck.move_std, ddof=1),
        "moving_var": _moving(bottleneck.move_var, ddof=1),
        "fill": lambda x, limit: bottleneck.push(x, limit, axis=-1),
        "rank": lambda x, pct: bottleneck.nanrankdata(x, axis=-1),
    }


def _numbagg():
    import numbagg

    return {
        "moving_average": _moving(numbagg.move_mean),
        "moving_sum": _moving(numbagg.move_sum),
        "moving_std": _moving(numbagg.move_std),
        "moving_var": _moving(numbagg.move_var),
        "moving_cov": _moving(numbagg.move_cov),
        "correl": _moving(numbagg.move_corr),
        "ewmmean": _exponential(numbagg.move_exp_nanmean),
        "ewmstd": _exponential(numbagg.move_exp_nanstd),
        "ewmvar": _exponential(numbagg.move_exp_nanvar),
        "ewmcorr": _exponential(numbagg.move_exp_nancorr),
        "fill": lambda x, limit: numbagg.ffill(x, limit=limit, axis=-1),
        "calc_dev_by, means": lambda x, codes, do_reduce: numbagg.group_nanmean(x, codes, axis=-1),
    }


@cache
def _functions():
    made = {"bottleneck": _bottleneck, "numbagg": _numbagg}
    return {name: made[name]() for name in LIBRARIES if name not in MISSING}


def counterparts(row, along_time, inputs, params):
    """Yield the libraries that have a row, a call of each, and how its result becomes ours."""
    shares = inputs[0].columns
    for library, functions in _functions().items():
        # Neither takes a window longer than the data.
        if row not in functions or params.get("window", 0) > len(inputs[0]):
            continue
        arrays = [_array(table, shares, along_time) for table in inputs if table is not None]
        as_ours = np.transpose if along_time else np.asarray
        if (library, row) == ("bottleneck", "moving_rank"):
            as_ours = partial(_part_of_observations, arrays[0], params["window"])
        yield library, partial(functions[row], *arrays, **params), as_ours


def _array(table, shares, along_time):
    if not isinstance(table.index, pd.DatetimeIndex):
        return pd.factorize(table.iloc[:, 0].reindex(shares), sort=True)[0]
    return np.ascontiguousarray(table.T if along_time else table)


def _part_of_observations(x, window, ranks):
    """Ranks from -1 to 1, shares x dates, as parts of the observations in the window."""
    count = pd.DataFrame(x.T).notna().rolling(window, min_periods=1).sum()
    return (((ranks.T + 1) / 2 * (count - 1) + 1) / count).to_numpy()
