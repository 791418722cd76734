"""Values of earlier rows."""

from __future__ import annotations

import numpy as np

from deriv_ops.kernels import like, values
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator("time series", lookback=lambda period: period, missing="left out")
def lag(x: Frame, /, period: Rows = 1) -> Frame:
    """Value of `period` rows ago: ``x[t - period]``.

    Parameters
    ----------
    x: dates x shares, in any unit.
    period: how many rows back; rows of the frame, not calendar days.

    Returns
    -------
    dates x shares, in the unit of x.

    Missing values: missing where that value is, and in the first `period` rows.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [1.0, 4, None, 6]}, pd.date_range("2020-01-01", periods=4))
    >>> lag(x)["A"].tolist()
    [nan, 1.0, 4.0, nan]

    """
    out = np.empty(x.shape)
    out[:period] = np.nan
    out[period:] = values(x)[:-period]
    return like(x, out)
