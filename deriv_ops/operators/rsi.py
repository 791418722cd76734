"""Relative strength."""

from __future__ import annotations

import numpy as np

from deriv_ops.kernels import ewm, like, values
from deriv_ops.kernels.changes import DIFFERENCE, changes
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator("time series", lookback=None, missing="left out")
def rsi(x: Frame, /, period: Rows = 14) -> Frame:
    """Relative strength index: what rises are of all moves, recent ones counting more.

    Parameters
    ----------
    x: dates x shares; prices, as a rule.
    period: the means of rises and falls weigh a row ``1 - 1 / period`` times the next one, and
        there must be so many changes.

    Returns
    -------
    dates x shares, from 0 (falls only) to 100 (rises only).

    Missing values: a change needs both rows; missing where the change is, and where nothing has
    moved.

    Source: Wilder (1978), "New Concepts in Technical Trading Systems"; his smoothing, with weights
    that add up to one from the first row on.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [1, 2, 4, 3]}, pd.date_range("2020-01-01", periods=4))
    >>> rsi(x, period=2)["A"].round(2).tolist()
    [nan, nan, 100.0, 55.56]

    """
    change = changes(values(x), 1, DIFFERENCE)
    rise = ewm.mean(np.maximum(change, 0.0), 1.0 / period, period)
    fall = ewm.mean(np.maximum(-change, 0.0), 1.0 / period, period)
    with np.errstate(invalid="ignore", divide="ignore"):
        strength = 100 * (rise / (rise + fall))
    strength[np.isnan(change)] = np.nan
    return like(x, strength)
