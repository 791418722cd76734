"""Exponentially weighted variance."""

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
def ewmvar(x: Frame, /, span: Annotated[float, Ge(1)], min_periods: Observations = 0) -> Frame:
    """Exponentially weighted variance, as pandas' ``ewm(span, min_periods).var()``.

    Parameters
    ----------
    x: dates x shares, in any unit.
    span: decay in rows; the weight of a row is ``1 - 2 / (span + 1)`` times that of the next one.
    min_periods: how many observations there must be so far (two at the least).

    Returns
    -------
    dates x shares, in the square of the unit of x.

    Missing values: a missing row keeps its place in the decay and the last variance is held over
    it; missing before `min_periods` observations.

    Source: pandas, "Exponentially weighted window".

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [1.0, 2, None, 4]}, pd.date_range("2020-01-01", periods=4))
    >>> ewmvar(x, span=3)["A"].round(4).tolist()
    [nan, 0.5, 0.5, 2.6538]

    """
    return like(x, ewm.variance(values(x), 2.0 / (span + 1.0), max(min_periods, 2), False))
