"""Rank within a moving window."""

from __future__ import annotations

from deriv_ops.kernels import like, order, values
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator(
    "time series",
    lookback=lambda window: window - 1,
    missing="kept",
    aliases={"minp": "min_periods"},
)
def moving_rank(
    x: Frame, /, window: Rows, min_periods: Rows | None = None, pct: bool = True
) -> Frame:
    """Rank of the row's value among the observations in the trailing `window` rows.

    Parameters
    ----------
    x: dates x shares, in any unit.
    window: how many rows, up to and with the row.
    min_periods: how many of them must be observed; all when None.
    pct: divide the rank by the number of observations.

    Returns
    -------
    dates x shares, a fraction up to 1 (the largest), or with pct False 1 for the least; the mean
    rank of equals.

    Missing values: missing where x is, and with fewer than `min_periods` observations.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [3.0, 1, 2, 5, 5]}, pd.date_range("2020-01-01", periods=5))
    >>> moving_rank(x, window=3)["A"].round(4).tolist()
    [nan, nan, 0.6667, 1.0, 0.8333]

    """
    needed = window if min_periods is None else min_periods
    return like(x, order.ranks(values(x), window, needed, pct))
