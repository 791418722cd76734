"""Covariance of two frames over a moving window, share by share."""

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
def moving_cov(x: Frame, y: Frame, /, window: Rows, min_periods: Rows | None = None) -> Frame:
    """Sample covariance of a share's x with its y over the trailing `window` rows.

    Parameters
    ----------
    x: dates x shares.
    y: dates x shares, or of one factor.
    window: how many rows, up to and with the row.
    min_periods: how many of them must hold both x and y (two at the least); all when None.

    Returns
    -------
    dates x shares, in the unit of x times that of y.

    Missing values: only rows with both x and y count; missing with fewer than `min_periods` of
    them.

    >>> import pandas as pd
    >>> dates = pd.date_range("2020-01-01", periods=4)
    >>> x = pd.DataFrame({"A": [1.0, 2, 3, 4]}, dates)
    >>> y = pd.DataFrame({"A": [1.0, 3, 2, 1]}, dates)
    >>> moving_cov(x, y, window=3)["A"].round(4).tolist()
    [nan, nan, 0.5, -1.0]

    """
    needed = max(2, window if min_periods is None else min_periods)
    return like(x, pairs.covariances(values(x), values(y), window, needed))
