"""What a factor does not explain."""

from __future__ import annotations

from deriv_ops.kernels import like, pairs, values
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator(
    "time series",
    lookback=lambda window: window - 1,
    missing="kept",
    aliases={"minp": "min_periods"},
    takes_infinite=True,
)
def residual(x: Frame, y: Frame, /, window: Rows, min_periods: Rows | None = None) -> Frame:
    """x less what its regression on y over the trailing `window` rows gives for the row.

    Parameters
    ----------
    x: dates x shares.
    y: dates x shares, or of one factor, such as the return of the market.
    window: how many rows, up to and with the row.
    min_periods: how many of them must hold both x and y (three at the least); all when None.

    Returns
    -------
    dates x shares, in the unit of x.

    Missing values: missing where x or y is; with fewer than `min_periods` rows that hold both;
    where y is constant in them.

    >>> import pandas as pd
    >>> dates = pd.date_range("2020-01-01", periods=4)
    >>> x = pd.DataFrame({"A": [1.0, 2, 3, 4]}, dates)
    >>> y = pd.DataFrame({"A": [1.0, 3, 2, 1]}, dates)
    >>> residual(x, y, window=3)["A"].round(4).tolist()
    [nan, nan, 1.0, 0.0]

    """
    needed = max(3, window if min_periods is None else min_periods)
    return like(x, pairs.residuals(values(x), values(y), window, needed))
