"""Average true range."""

from __future__ import annotations

import numpy as np

from deriv_ops.kernels import ewm, finite, like, values
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator("time series", lookback=None, missing="left out")
def atr(high: Frame, low: Frame, close: Frame, /, period: Rows = 14) -> Frame:
    """Mean of the true range: how far prices reach in a row, gaps from the row before included.

    Parameters
    ----------
    high: dates x shares, the highest prices.
    low: dates x shares, the lowest prices.
    close: dates x shares, the closing prices.
    period: a row weighs ``1 - 1 / period`` times the next one, and there must be so many.

    Returns
    -------
    dates x shares, in the unit of the prices.

    Missing values: without the close of the row before, the range is that of the row; missing where
    high or low is.

    Source: Wilder (1978), "New Concepts in Technical Trading Systems".

    >>> import pandas as pd
    >>> dates = pd.date_range("2020-01-01", periods=3)
    >>> high, low = pd.DataFrame({"A": [3.0, 5, 5]}, dates), pd.DataFrame({"A": [1.0, 4, 2]}, dates)
    >>> atr(high, low, (high + low) / 2, period=2)["A"].round(4).tolist()
    [nan, 2.6667, 2.8571]

    """
    highest, lowest = values(high), values(low)
    before = np.full(high.shape, np.nan)
    before[1:] = values(close)[:-1]
    reach = np.fmax(np.abs(highest - before), np.abs(lowest - before))
    reach = np.where(np.isnan(highest - lowest), np.nan, np.fmax(highest - lowest, reach))
    mean = ewm.mean(finite(reach), 1.0 / period, period)
    mean[np.isnan(reach)] = np.nan
    return like(high, mean)
