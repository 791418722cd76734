"""Logarithmic returns."""

from __future__ import annotations

import numpy as np

from deriv_ops.kernels import like, values
from deriv_ops.kernels.changes import RATIO, changes
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator("time series", lookback=lambda period: period, missing="kept", takes_infinite=True)
def log_return(x: Frame, /, period: Rows = 1) -> Frame:
    """Logarithmic change over `period` rows: ``ln(x[t] / x[t - period])``.

    Parameters
    ----------
    x: dates x shares, in any unit.
    period: how many rows back; rows of the frame, not calendar days.

    Returns
    -------
    dates x shares, as a fraction (0.01 is about one per cent).

    Missing values: missing where either end is missing or not above 0, and in the first `period`
    rows.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [100.0, 110, 0, 99]}, pd.date_range("2020-01-01", periods=4))
    >>> log_return(x)["A"].round(4).tolist()
    [nan, 0.0953, nan, nan]

    """
    ratios = changes(values(x), period, RATIO)
    return like(x, np.log(ratios, out=ratios))
