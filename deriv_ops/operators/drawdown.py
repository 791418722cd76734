"""Falls from a high."""

from __future__ import annotations

import numpy as np

from deriv_ops.kernels import finite, like, sums, values
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator(
    "time series", lookback=lambda window: None if window is None else window - 1, missing="kept"
)
def drawdown(x: Frame, /, window: Rows | None = None) -> Frame:
    """Fall from the largest value of the trailing `window` rows.

    Parameters
    ----------
    x: dates x shares; prices, as a rule.
    window: how many rows, up to and with the row; all history when None.

    Returns
    -------
    dates x shares, as a fraction: 0 at a high, -0.25 a quarter below it.

    Missing values: missing where x is, and where the largest value isn't above 0.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [4, 5, None, 4]}, pd.date_range("2020-01-01", periods=4))
    >>> drawdown(x)["A"].round(4).tolist()
    [0.0, 0.0, nan, -0.2]

    """
    high = sums.extremes(values(x), window or 0, 1, sums.LARGEST)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return like(x, finite(np.where(high > 0, values(x) / high - 1, np.nan)))
