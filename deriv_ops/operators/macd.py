"""Moving average convergence/divergence."""

from __future__ import annotations

from typing import Literal

from deriv_ops.kernels import like, technical, values
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator

OUTPUTS = {
    "line": technical.LINE,
    "signal": technical.SIGNAL,
    "histogram": technical.HISTOGRAM,
}


@operator("time series", lookback=None, missing="kept")
def macd(
    x: Frame,
    /,
    fast: Rows = 12,
    slow: Rows = 26,
    signal: Rows = 9,
    output: Literal["line", "signal", "histogram"] = "line",
) -> Frame:
    """Fast less slow exponentially weighted mean, the mean of that, or what lies between.

    Parameters
    ----------
    x: dates x shares; prices, as a rule.
    fast: span of the fast mean, in rows.
    slow: span of the slow mean, and how many observations both means must have so far.
    signal: span of the mean of the line, and how many values of the line it must have so far.
    output: ``line`` is the fast mean less the slow one, ``signal`` the exponentially weighted mean
        of the line, ``histogram`` the line less the signal.

    Returns
    -------
    dates x shares, in the unit of x.

    Missing values: a missing row is left out of the means and keeps its place in the decay.
    Missing where x is, and before there are enough observations.

    Source: Appel (2005), "Technical Analysis: Power Tools for Active Investors". The means are
    those of pandas' ``ewm(span)``.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [10.0, 11, 13, 12]}, pd.date_range("2020-01-01", periods=4))
    >>> macd(x, fast=1, slow=2, signal=2)["A"].round(4).tolist()
    [nan, 0.25, 0.6923, -0.1]
    >>> macd(x, fast=1, slow=2, signal=2, output="histogram")["A"].round(4).tolist()
    [nan, nan, 0.1106, -0.2098]

    """
    return like(x, technical.macd(values(x), fast, slow, signal, OUTPUTS[output]))
