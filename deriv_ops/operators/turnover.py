"""Turnover."""

from __future__ import annotations

import numpy as np

from deriv_ops.kernels import like, sums, values
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator(
    "time series",
    lookback=lambda window: window - 1,
    missing="left out",
    aliases={"minp": "min_periods"},
)
def turnover(
    traded: Frame, cap: Frame, /, window: Rows = 1, min_periods: Rows | None = None
) -> Frame:
    """Mean of what is traded over the market cap, over the trailing `window` rows.

    Parameters
    ----------
    traded: dates x shares, the value traded.
    cap: dates x shares, the market cap in the same unit.
    window: how many rows, up to and with the row.
    min_periods: how many of them must hold both, with a cap above 0; all when None.

    Returns
    -------
    dates x shares, as a fraction of the company that is traded in a row.

    Missing values: left out, as is a ratio too large for a number; missing with fewer than
    `min_periods` rows.

    >>> import pandas as pd
    >>> dates = pd.date_range("2020-01-01", periods=2)
    >>> traded, cap = pd.DataFrame({"A": [2.0, 3]}, dates), pd.DataFrame({"A": [100.0, 100]}, dates)
    >>> turnover(traded, cap, window=2)["A"].tolist()
    [nan, 0.025]

    """
    needed = window if min_periods is None else min_periods
    size = values(cap)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(size > 0, values(traded) / size, np.nan)
    return like(traded, sums.sums(ratio, window, needed, sums.MEAN))
