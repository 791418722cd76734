"""Relative strength index."""

from __future__ import annotations

from deriv_ops.kernels import like, technical, values
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator("time series", lookback=None, missing="kept")
def rsi(x: Frame, /, period: Rows = 14) -> Frame:
    """Mean gain over the sum of the mean gain and the mean loss, times 100.

    Gains and losses are the changes from row to row, up and down. Their means are exponentially
    weighted; the weight of a row is ``1 - 1 / period`` times that of the next one.

    Parameters
    ----------
    x: dates x shares; prices, as a rule.
    period: decay in rows, and how many changes there must be so far.

    Returns
    -------
    dates x shares, between 0 (losses only) and 100 (gains only).

    Missing values: a change is missing where x or the value before it is; it is left out of the
    means and keeps its place in the decay. Missing where the change is, before `period` changes,
    and where no value has changed.

    Source: Wilder (1978), "New Concepts in Technical Trading Systems", with the weights of all
    rows adding up to one from the first row on.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [10.0, 11, 10, 12, 12]}, pd.date_range("2020-01-01", periods=5))
    >>> rsi(x, period=2)["A"].round(4).tolist()
    [nan, nan, 33.3333, 81.8182, 81.8182]

    """
    return like(x, technical.strength(values(x), period))
