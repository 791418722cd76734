"""Convergence of moving averages."""

from __future__ import annotations

from typing import Literal

import numpy as np

from deriv_ops.kernels import ewm, like, values
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator("time series", lookback=None, missing="kept")
def macd(
    x: Frame,
    /,
    fast: Rows = 12,
    slow: Rows = 26,
    signal: Rows = 9,
    output: Literal["line", "signal", "histogram"] = "line",
) -> Frame:
    """Difference of a fast and a slow exponentially weighted mean.

    Parameters
    ----------
    x: dates x shares; prices, as a rule.
    fast: the span of the fast mean.
    slow: the span of the slow one; there must be so many observations.
    signal: the span of the mean of the difference; there must be so many of it.
    output: the difference itself (``line``), its mean (``signal``), or the first less the second
        (``histogram``).

    Returns
    -------
    dates x shares, in the unit of x.

    Missing values: missing where x is, and before there are enough observations.

    Source: Appel (1979), "The Moving Average Convergence Divergence Method".

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [1, 2, 4, 3]}, pd.date_range("2020-01-01", periods=4))
    >>> macd(x, fast=1, slow=2)["A"].round(4).tolist()
    [nan, 0.25, 0.6923, -0.1]

    """
    cells = values(x)
    line = ewm.mean(cells, 2.0 / (fast + 1.0), slow) - ewm.mean(cells, 2.0 / (slow + 1.0), slow)
    line[np.isnan(cells)] = np.nan
    if output == "line":
        return like(x, line)
    smooth = ewm.mean(line, 2.0 / (signal + 1.0), signal)
    smooth[np.isnan(line)] = np.nan
    return like(x, smooth if output == "signal" else line - smooth)
