"""Exponentially weighted correlation of two frames, share by share."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge

from deriv_ops.kernels import ewm, like, values
from deriv_ops.operators._types import Observations
from deriv_ops.operators.declare import Frame, operator


@operator(
    "time series",
    lookback=None,
    missing="left out",
    aliases={"minp": "min_periods"},
    takes_infinite=True,
)
def ewmcorr(
    x: Frame, y: Frame, /, span: Annotated[float, Ge(1)], min_periods: Observations = 0
) -> Frame:
    """Exponentially weighted correlation, as pandas' ``ewm(span, min_periods).corr``.

    Parameters
    ----------
    x: dates x shares.
    y: dates x shares, or of one factor.
    span: decay in rows; the weight of a row is ``1 - 2 / (span + 1)`` times that of the next one.
    min_periods: how many observations there must be so far, of both (two at the least).

    Returns
    -------
    dates x shares, between -1 and 1.

    Missing values: only rows with both x and y count; a row without keeps its place in the decay
    and the last correlation is held over it. Missing where x or y has been constant so far.

    Source: pandas, "Exponentially weighted window".

    >>> import pandas as pd
    >>> dates = pd.date_range("2020-01-01", periods=4)
    >>> x = pd.DataFrame({"A": [1.0, 2, 3, 4]}, dates)
    >>> y = pd.DataFrame({"A": [1.0, 3, 2, 1]}, dates)
    >>> ewmcorr(x, y, span=3)["A"].round(4).tolist()
    [nan, 1.0, 0.1754, -0.6133]

    """
    needed = max(min_periods, 2)
    return like(x, ewm.correlation(values(x), values(y), 2.0 / (span + 1.0), needed))
