"""Sum over a moving window."""

from __future__ import annotations

from deriv_ops.kernels import like, sums, values
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator(
    "time series",
    lookback=lambda window: window - 1,
    missing="left out",
    aliases={"minp": "min_periods"},
    takes_infinite=True,
)
def moving_sum(x: Frame, /, window: Rows, min_periods: Rows | None = None) -> Frame:
    """Sum of the observations in the trailing `window` rows.

    Parameters
    ----------
    x: dates x shares, in any unit.
    window: how many rows, up to and with the row.
    min_periods: how many of them must be observed; all when None.

    Returns
    -------
    dates x shares, in the unit of x.

    Missing values: left out; missing with fewer than `min_periods` observations.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [1.0, 2, None, 6]}, pd.date_range("2020-01-01", periods=4))
    >>> moving_sum(x, window=3, min_periods=2)["A"].tolist()
    [nan, 3.0, 3.0, 8.0]

    """
    needed = window if min_periods is None else min_periods
    return like(x, sums.sums(values(x), window, max(needed, 1), sums.SUM))
