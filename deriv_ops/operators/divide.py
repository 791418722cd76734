"""Ratios of two frames."""

from __future__ import annotations

from deriv_ops.kernels import cells, like, values
from deriv_ops.operators.declare import Frame, operator


@operator("cross section", missing="kept")
def divide(x: Frame, y: Frame, /) -> Frame:
    """x over y, cell by cell.

    Parameters
    ----------
    x: dates x shares, in any unit.
    y: dates x shares, or of one factor.

    Returns
    -------
    dates x shares, in the unit of x over that of y.

    Missing values: missing where either is, and where y is 0.

    >>> import pandas as pd
    >>> dates = pd.date_range("2020-01-01", periods=3)
    >>> x, y = pd.DataFrame({"A": [1, 2, 3]}, dates), pd.DataFrame({"A": [4, None, 0]}, dates)
    >>> divide(x, y)["A"].tolist()
    [0.25, nan, nan]

    """
    return like(x, cells.combined(values(x), values(y), cells.RATIO))
