"""Skewness over a moving window."""

from __future__ import annotations

from deriv_ops.kernels import like, shapes, values
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator(
    "time series",
    lookback=lambda window: window - 1,
    missing="left out",
    aliases={"minp": "min_periods"},
)
def moving_skew(x: Frame, /, window: Rows, min_periods: Rows | None = None) -> Frame:
    """Skewness of the observations in the trailing `window` rows.

    Parameters
    ----------
    x: dates x shares, in any unit.
    window: how many rows, up to and with the row.
    min_periods: how many of them must be observed (three at the least); all when None.

    Returns
    -------
    dates x shares, a number without unit, 0 for what is symmetric.

    Missing values: left out; missing with fewer than `min_periods` observations and where all are
    equal.

    Source: the adjusted Fisher-Pearson coefficient, Joanes and Gill (1998),
    doi:10.1111/1467-9884.00122.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [1.0, 2, 3, 9, 2]}, pd.date_range("2020-01-01", periods=5))
    >>> moving_skew(x, window=4)["A"].round(4).tolist()
    [nan, nan, nan, 1.6964, 1.8871]

    """
    needed = max(3, window if min_periods is None else min_periods)
    return like(x, shapes.shapes(values(x), window, needed, shapes.SKEWNESS))
