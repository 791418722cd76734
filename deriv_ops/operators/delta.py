"""Differences."""

from __future__ import annotations

from deriv_ops.kernels import like, values
from deriv_ops.kernels.changes import DIFFERENCE, changes
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator("time series", lookback=lambda period: period, missing="kept", takes_infinite=True)
def delta(x: Frame, /, period: Rows = 1) -> Frame:
    """Change over `period` rows: ``x[t] - x[t - period]``.

    Parameters
    ----------
    x: dates x shares, in any unit.
    period: how many rows back; rows of the frame, not calendar days.

    Returns
    -------
    dates x shares, in the unit of x.

    Missing values: missing where either end is, and in the first `period` rows.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [1.0, 4, None, 6]}, pd.date_range("2020-01-01", periods=4))
    >>> delta(x)["A"].tolist()
    [nan, 3.0, nan, nan]

    """
    return like(x, changes(values(x), period, DIFFERENCE))
