"""Standing within Bollinger bands."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt

from deriv_ops.kernels import finite, like, values, windows
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator(
    "time series",
    lookback=lambda window: window - 1,
    missing="kept",
    aliases={"minp": "min_periods"},
)
def bollinger_position(
    x: Frame,
    /,
    window: Rows = 20,
    min_periods: Rows | None = None,
    width: Annotated[float, Gt(0)] = 2.0,
) -> Frame:
    """Distance from the mean of the trailing `window` rows, in half widths of the bands.

    Parameters
    ----------
    x: dates x shares; prices, as a rule.
    window: how many rows, up to and with the row.
    min_periods: how many of them must be observed (two at the least); all when None.
    width: half the width of the bands, in sample standard deviations.

    Returns
    -------
    dates x shares: 0 at the mean, 1 at the upper band, -1 at the lower.

    Missing values: left out; missing where x is, with fewer than `min_periods` observations, and
    where all are equal.

    Source: Bollinger (2001), "Bollinger on Bollinger Bands".

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [1, 2, 4, 3]}, pd.date_range("2020-01-01", periods=4))
    >>> bollinger_position(x, window=3)["A"].round(4).tolist()
    [nan, nan, 0.5455, 0.0]

    """
    needed = max(2, window if min_periods is None else min_periods)
    score = windows.moments(values(x), window, needed, windows.ZSCORE)
    with np.errstate(over="ignore"):
        return like(x, finite(score / width))
