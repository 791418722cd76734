"""Average true range."""

from __future__ import annotations

from deriv_ops.kernels import like, technical, values
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator("time series", lookback=None, missing="left out")
def atr(high: Frame, low: Frame, close: Frame, /, period: Rows = 14) -> Frame:
    """Exponentially weighted mean of the true range, with alpha ``1 / period``.

    The true range is the largest of ``high - low``, ``|high - c|`` and ``|low - c|``, where c is
    the close of the row before.

    Parameters
    ----------
    high: dates x shares; the highest price of the row.
    low: dates x shares; the lowest price of the row.
    close: dates x shares; the closing price of the row.
    period: decay in rows, and how many true ranges there must be so far; the weight of a row is
        ``1 - 1 / period`` times that of the next one.

    Returns
    -------
    dates x shares, in the unit of the prices.

    Missing values: the true range is ``high - low`` where the close before is missing. It is
    missing where high or low is, is then left out of the mean and keeps its place in the decay.
    Missing where the true range is, and before `period` true ranges.

    Source: Wilder (1978), "New Concepts in Technical Trading Systems", with the weights of all
    rows adding up to one from the first row on.

    >>> import pandas as pd
    >>> dates = pd.date_range("2020-01-01", periods=3)
    >>> high = pd.DataFrame({"A": [11.0, 12, 15]}, dates)
    >>> low = pd.DataFrame({"A": [10.0, 10, 14]}, dates)
    >>> close = pd.DataFrame({"A": [10.0, 11, 15]}, dates)
    >>> atr(high, low, close, period=2)["A"].round(4).tolist()
    [nan, 1.6667, 3.0]

    """
    return like(high, technical.true_range(values(high), values(low), values(close), period))
