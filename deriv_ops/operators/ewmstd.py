"""Exponentially weighted volatility."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge

from deriv_ops.kernels import ewm, like, values
from deriv_ops.operators._types import Observations
from deriv_ops.operators.declare import Frame, operator

# The convention of the talk: a year of 52 weeks of five days.
ROWS_A_YEAR = 260


@operator(
    "time series",
    lookback=None,
    missing="left out",
    aliases={"annulize": "annualize", "minp": "min_periods"},
    takes_infinite=True,
)
def ewmstd(
    x: Frame,
    /,
    span: Annotated[float, Ge(1)],
    min_periods: Observations = 0,
    annualize: bool = False,
) -> Frame:
    """Exponentially weighted standard deviation, as pandas' ``ewm(span, min_periods).std()``.

    Parameters
    ----------
    x: dates x shares; returns, as a rule.
    span: decay in rows; the weight of a row is ``1 - 2 / (span + 1)`` times that of the next one.
    min_periods: how many observations there must be so far.
    annualize: times ``sqrt(260)``, the deviation of a year of 260 daily rows.

    Returns
    -------
    dates x shares, in the unit of x.

    Missing values: a missing row keeps its place in the decay and the last deviation is held over
    it; missing before `min_periods` (and at least two) observations.

    Source: the unbiased weighted variance of pandas, "Exponentially weighted window".

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [0.01, -0.01, 0.02]}, pd.date_range("2020-01-01", periods=3))
    >>> ewmstd(x, span=2)["A"].round(6).tolist()
    [nan, 0.014142, 0.018397]

    """
    needed = max(min_periods, 2)
    deviation = ewm.variance(values(x), 2.0 / (span + 1.0), needed, True)
    if annualize:
        deviation *= ROWS_A_YEAR**0.5
    return like(x, deviation)
