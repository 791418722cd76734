"""Standard deviation over a moving window."""

from __future__ import annotations

from deriv_ops.kernels import like, values, windows
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator(
    "time series",
    lookback=lambda window: window - 1,
    missing="left out",
    aliases={"minp": "min_periods"},
    takes_infinite=True,
)
def moving_std(x: Frame, /, window: Rows, min_periods: Rows | None = None) -> Frame:
    """Sample standard deviation of the observations in the trailing `window` rows.

    Parameters
    ----------
    x: dates x shares, in any unit.
    window: how many rows, up to and with the row.
    min_periods: how many of them must be observed (two at the least); all when None.

    Returns
    -------
    dates x shares, in the unit of x; exactly 0 where all observations are equal.

    Missing values: left out; missing with fewer than `min_periods` observations.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [1.0, 2, None, 6, 6]}, pd.date_range("2020-01-01", periods=5))
    >>> moving_std(x, window=3, min_periods=2)["A"].round(4).tolist()
    [nan, 0.7071, 0.7071, 2.8284, 0.0]

    """
    needed = max(2, window if min_periods is None else min_periods)
    return like(x, windows.moments(values(x), window, needed, windows.DEVIATION))
