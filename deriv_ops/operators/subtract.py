"""Differences of two frames."""

from __future__ import annotations

from deriv_ops.kernels import cells, like, values
from deriv_ops.operators.declare import Frame, operator


@operator("cross section", missing="kept", takes_infinite=True)
def subtract(x: Frame, y: Frame, /) -> Frame:
    """x less y, cell by cell.

    Parameters
    ----------
    x: dates x shares, in any unit.
    y: dates x shares, or of one factor.

    Returns
    -------
    dates x shares, in the unit of x.

    Missing values: missing where either is.

    >>> import pandas as pd
    >>> dates = pd.date_range("2020-01-01", periods=2)
    >>> x, y = pd.DataFrame({"A": [1, 2]}, dates), pd.DataFrame({"A": [3, None]}, dates)
    >>> subtract(x, y)["A"].tolist()
    [-2.0, nan]

    """
    return like(x, cells.combined(values(x), values(y), cells.DIFFERENCE))
