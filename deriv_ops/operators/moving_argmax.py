"""Age of the largest value in a moving window."""

from __future__ import annotations

from deriv_ops.kernels import like, sums, values
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator(
    "time series",
    lookback=lambda window: window - 1,
    missing="left out",
    aliases={"minp": "min_periods"},
)
def moving_argmax(x: Frame, /, window: Rows, min_periods: Rows | None = None) -> Frame:
    """How many rows ago the largest observation in the trailing `window` rows was.

    Parameters
    ----------
    x: dates x shares, in any unit.
    window: how many rows, up to and with the row.
    min_periods: how many of them must be observed; all when None.

    Returns
    -------
    dates x shares, in rows, 0 for the row itself; of equal values the latest counts.

    Missing values: left out; missing with fewer than `min_periods` observations.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [3.0, 1, 2, 3, 1]}, pd.date_range("2020-01-01", periods=5))
    >>> moving_argmax(x, window=3)["A"].tolist()
    [nan, nan, 2.0, 0.0, 1.0]

    """
    needed = window if min_periods is None else min_periods
    return like(x, sums.extremes(values(x), window, needed, sums.AGE_OF_LARGEST))
