"""Sensitivity to a factor."""

from __future__ import annotations

from deriv_ops.kernels import like, pairs, values
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator(
    "time series",
    lookback=lambda window: window - 1,
    missing="left out",
    aliases={"minp": "min_periods"},
    takes_infinite=True,
)
def beta(x: Frame, y: Frame, /, window: Rows, min_periods: Rows | None = None) -> Frame:
    """Slope of the regression of x on y over the trailing `window` rows, share by share.

    Parameters
    ----------
    x: dates x shares.
    y: dates x shares, or of one factor, such as the return of the market.
    window: how many rows, up to and with the row.
    min_periods: how many of them must hold both x and y (two at the least); all when None.

    Returns
    -------
    dates x shares, in the unit of x over that of y.

    Missing values: only rows with both x and y count; missing with fewer than `min_periods` of them
    and where y is constant in them.

    >>> import pandas as pd
    >>> dates = pd.date_range("2020-01-01", periods=4)
    >>> x = pd.DataFrame({"A": [1.0, 2, 3, 4]}, dates)
    >>> y = pd.DataFrame({"A": [1.0, 3, 2, 1]}, dates)
    >>> beta(x, y, window=3)["A"].round(4).tolist()
    [nan, nan, 0.5, -1.0]

    """
    needed = max(2, window if min_periods is None else min_periods)
    return like(x, pairs.betas(values(x), values(y), window, needed))
