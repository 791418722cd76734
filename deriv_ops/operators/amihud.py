"""Illiquidity."""

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
def amihud(
    returns: Frame, traded: Frame, /, window: Rows = 20, min_periods: Rows | None = None
) -> Frame:
    """Mean of how far the price moves for what is traded, over the trailing `window` rows.

    Parameters
    ----------
    returns: dates x shares.
    traded: dates x shares, the value traded.
    window: how many rows, up to and with the row.
    min_periods: how many of them must hold both, with something traded; all when None.

    Returns
    -------
    dates x shares, in the unit of the returns over that of what is traded.

    Missing values: left out, as are rows without trade and ratios too large for a number; missing
    with fewer than `min_periods` rows.

    Source: Amihud (2002), doi:10.1016/S1386-4181(01)00024-6.

    >>> import pandas as pd
    >>> dates = pd.date_range("2020-01-01", periods=3)
    >>> returns = pd.DataFrame({"A": [0.02, -0.01, 0.03]}, dates)
    >>> traded = pd.DataFrame({"A": [2.0, 0, 1]}, dates)
    >>> amihud(returns, traded, window=2, min_periods=1)["A"].tolist()
    [0.01, 0.01, 0.03]

    """
    needed = window if min_periods is None else min_periods
    volume = values(traded)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        impact = np.where(volume > 0, np.abs(values(returns)) / volume, np.nan)
    return like(returns, sums.sums(impact, window, needed, sums.MEAN))
