"""Mean over a moving window with weights that fall with age."""

from __future__ import annotations

from deriv_ops.kernels import finite, like, sums, values
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator(
    "time series",
    lookback=lambda window: window - 1,
    missing="left out",
    aliases={"minp": "min_periods"},
)
def decay_linear(x: Frame, /, window: Rows, min_periods: Rows | None = None) -> Frame:
    """Mean of the trailing `window` rows, weighted window, window - 1, ... 1 from the row itself
    back.

    Parameters
    ----------
    x: dates x shares, in any unit.
    window: how many rows, up to and with the row.
    min_periods: how many of them must be observed; all when None.

    Returns
    -------
    dates x shares, in the unit of x.

    Missing values: left out, with their weight; missing with fewer than `min_periods` observations.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [1.0, 2, 6, None, 3]}, pd.date_range("2020-01-01", periods=5))
    >>> decay_linear(x, window=3, min_periods=2)["A"].round(4).tolist()
    [nan, 1.6, 3.8333, 4.6667, 3.75]

    """
    needed = window if min_periods is None else min_periods
    return like(x, finite(sums.decayed_means(values(x), window, max(needed, 1))))
