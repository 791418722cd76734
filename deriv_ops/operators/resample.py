"""Statistics of the last finished week, month, quarter or year."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deriv_ops.kernels import like, periods, values
from deriv_ops.operators.declare import Frame, operator

Period: TypeAlias = Literal["week", "month", "quarter", "year"]

STATISTICS = {
    "last": periods.LAST,
    "first": periods.FIRST,
    "mean": periods.MEAN,
    "sum": periods.SUM,
    "min": periods.LEAST,
    "max": periods.LARGEST,
    "std": periods.DEVIATION,
}


@operator("time series", lookback=None, missing="left out")
def resample(
    x: Frame,
    /,
    period: Period = "month",
    how: Literal["last", "first", "mean", "sum", "min", "max", "std"] = "last",
) -> Frame:
    """On each row the statistic of the last calendar period that was over by then.

    The period of the row itself isn't over, even on its last row: that it is, is known when the
    next one has begun. So no row depends on later ones.

    Parameters
    ----------
    x: dates x shares, in any unit.
    period: ``week`` (ends on Sunday), ``month``, ``quarter`` or ``year``.
    how: the statistic of the share's observations in the period: the ``last`` or ``first`` of
        them, their ``mean``, ``sum``, ``min``, ``max``, or sample standard deviation (``std``).

    Returns
    -------
    dates x shares, in the unit of x; the same on all rows of a period.

    Missing values: left out of the statistic; missing in the first period, and where the share had
    no observation in the finished one (for ``std``: fewer than two).

    >>> import pandas as pd
    >>> dates = pd.to_datetime(["2020-01-30", "2020-01-31", "2020-02-03", "2020-02-04"])
    >>> x = pd.DataFrame({"A": [1.0, 2, 3, 4]}, dates)
    >>> resample(x)["A"].tolist()
    [nan, nan, 2.0, 2.0]
    >>> resample(x, how="mean")["A"].tolist()
    [nan, nan, 1.5, 1.5]

    """
    numbers = _numbers(pd.DatetimeIndex(x.index), period)
    return like(x, periods.finished(values(x), numbers, STATISTICS[how]))


def _numbers(dates: pd.DatetimeIndex, period: Period) -> NDArray[np.int64]:
    """Number the periods of the dates, each one more than the one before it."""
    dates = dates.tz_localize(None)
    if period == "week":
        # Day 0, the first of January 1970, was a Thursday.
        return (dates.to_numpy("datetime64[D]").astype(np.int64) + 3) // 7
    months = dates.to_numpy("datetime64[M]").astype(np.int64)
    return months // {"month": 1, "quarter": 3, "year": 12}[period]
