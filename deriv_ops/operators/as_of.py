"""Figures of dates of their own."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pandas as pd
from annotated_types import Ge

from deriv_ops.kernels import like, values
from deriv_ops.operators.declare import Frame, Irregular, operator


@operator("time series", lookback=None, missing="filled")
def as_of(
    x: Frame,
    table: Irregular,
    /,
    delay: Annotated[int, Ge(0)] = 0,
    max_age: Annotated[int, Ge(1)] | None = None,
) -> Frame:
    """The latest figure known on each date, from a table that has dates of its own.

    Parameters
    ----------
    x: dates x shares; only its dates and shares matter.
    table: dates x shares on other dates, such as scores of each month.
    delay: after how many calendar days a figure is known.
    max_age: how many calendar days old it may be; any number when None.

    Returns
    -------
    dates x shares of x, in the unit of the table.

    Missing values: a missing figure leaves the one before in force; missing where a share isn't in
    the table, before its first figure and where the latest is too old.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": 0.0}, pd.to_datetime(["2020-01-31", "2020-02-03", "2020-03-02"]))
    >>> table = pd.DataFrame({"A": [50.0, 60.0]}, pd.to_datetime(["2020-01-31", "2020-02-29"]))
    >>> as_of(x, table, delay=1)["A"].tolist()
    [nan, 50.0, 60.0]

    """
    figures = values(table.reindex(columns=x.columns))
    days = pd.DatetimeIndex(table.index).to_numpy("datetime64[D]").astype(np.int64)
    # Of each figure that is there its row, of each other that of the one before; -1 for none.
    rows = np.where(np.isnan(figures), -1, np.arange(len(figures))[:, None])
    latest = np.maximum.accumulate(rows, axis=0)
    dates = pd.DatetimeIndex(x.index).to_numpy("datetime64[D]").astype(np.int64)
    known = np.searchsorted(days, dates - delay, side="right") - 1
    found = np.full(x.shape, -1)
    found[known >= 0] = latest[known[known >= 0]]
    there = found >= 0
    if max_age is not None and len(days):
        there &= dates[:, None] - days[found] <= max_age
    result = np.full(x.shape, np.nan)
    row, share = np.nonzero(there)
    result[row, share] = figures[found[row, share], share]
    return like(x, result)
