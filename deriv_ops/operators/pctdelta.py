"""Simple returns."""

from __future__ import annotations

from deriv_ops.kernels import like, values
from deriv_ops.kernels.changes import RELATIVE, changes
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator("time series", lookback=lambda period: period, missing="kept", takes_infinite=True)
def pctdelta(x: Frame, /, period: Rows = 1) -> Frame:
    """Relative change over `period` rows: ``x[t] / x[t - period] - 1``.

    Parameters
    ----------
    x: dates x shares, in any unit.
    period: how many rows back; rows of the frame, not calendar days.

    Returns
    -------
    dates x shares, as a fraction (0.01 is one per cent).

    Missing values: nothing is filled forward. Missing where either end is missing, in the first
    `period` rows, and where the earlier value is zero.

    >>> import pandas as pd
    >>> dates = pd.date_range("2020-01-01", periods=4)
    >>> pctdelta(pd.DataFrame({"A": [100.0, 110.0, None, 99.0]}, dates))["A"].round(3).tolist()
    [nan, 0.1, nan, nan]

    """
    return like(x, changes(values(x), period, RELATIVE))
