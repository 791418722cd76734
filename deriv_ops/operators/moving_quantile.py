"""Quantile over a moving window."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le

from deriv_ops.kernels import like, order, values
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator(
    "time series",
    lookback=lambda window: window - 1,
    missing="left out",
    aliases={"minp": "min_periods"},
)
def moving_quantile(
    x: Frame,
    /,
    window: Rows,
    quantile: Annotated[float, Ge(0), Le(1)],
    min_periods: Rows | None = None,
) -> Frame:
    """Quantile of the observations in the trailing `window` rows.

    Parameters
    ----------
    x: dates x shares, in any unit.
    window: how many rows, up to and with the row.
    quantile: which one; 0 is the least, 0.5 the median, 1 the largest.
    min_periods: how many of them must be observed; all when None.

    Returns
    -------
    dates x shares, in the unit of x; linear between the two observations that the quantile is
    between.

    Missing values: left out; missing with fewer than `min_periods` observations.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [3.0, 1, 2, 5]}, pd.date_range("2020-01-01", periods=4))
    >>> moving_quantile(x, window=3, quantile=0.25)["A"].tolist()
    [nan, nan, 1.5, 1.5]

    """
    needed = window if min_periods is None else min_periods
    return like(x, order.quantiles(values(x), window, needed, quantile))
