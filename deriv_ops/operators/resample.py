"""Figures of calendar periods."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd

from deriv_ops.kernels import Floats, finite, like, values
from deriv_ops.operators.declare import Frame, operator

_PERIODS = {"week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}


@operator("time series", lookback=None, missing="left out")
def resample(
    x: Frame,
    /,
    period: Literal["week", "month", "quarter", "year"] = "month",
    how: Literal["last", "first", "mean", "sum", "min", "max", "std"] = "last",
) -> Frame:
    """A figure of the last finished calendar period, on each row of the next one.

    Parameters
    ----------
    x: dates x shares, in any unit.
    period: which periods; weeks end on Sunday.
    how: which figure of the observations in the period; `std` is that of a sample.

    Returns
    -------
    dates x shares, in the unit of x. That a period is over is known when the next has begun, so
    nothing depends on later rows.

    Missing values: left out; missing in the first period, after a period without rows, and where
    the share had no observation in the period (two for `std`).

    >>> import pandas as pd
    >>> dates = pd.to_datetime(["2020-01-30", "2020-01-31", "2020-02-03", "2020-02-04"])
    >>> resample(pd.DataFrame({"A": [1.0, 2, 3, 4]}, dates), how="mean")["A"].tolist()
    [nan, nan, 1.5, 1.5]

    """
    cells = values(x)
    result = np.full(cells.shape, np.nan)
    periods = pd.DatetimeIndex(x.index).to_period(_PERIODS[period]).asi8
    firsts = [0, *(1 + np.flatnonzero(np.diff(periods))).tolist(), len(cells)]
    for (first, until), after in zip(pairwise(firsts), firsts[2:], strict=False):
        if periods[until] == periods[first] + 1:
            result[until:after] = _figure(cells[first:until], how)
    return like(x, finite(result))


def _figure(rows: Floats, how: str) -> Floats:
    frame = pd.DataFrame(rows)
    if how in ("last", "first"):
        filled = frame.ffill() if how == "last" else frame.bfill()
        picked: Floats = filled.iloc[-1 if how == "last" else 0].to_numpy()
        return picked
    if how == "sum":
        total: Floats = frame.sum(min_count=1).to_numpy()
        return total
    if how == "std":
        # From one of the values on: equal ones then deviate by exactly 0.
        frame = frame - frame.bfill().iloc[0]
    figure: Floats = getattr(frame, how)().to_numpy()
    return figure
