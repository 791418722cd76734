"""Ratios of two frames."""

from __future__ import annotations

import numpy as np

from deriv_ops.kernels import finite, like, values
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
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return like(x, finite(values(x) / values(y)))
