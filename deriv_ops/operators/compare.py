"""Comparisons of two frames."""

from __future__ import annotations

import operator as functions
from typing import Literal

import numpy as np

from deriv_ops.kernels import like, values
from deriv_ops.operators.declare import Frame, operator

_COMPARISONS = {
    ">": functions.gt,
    ">=": functions.ge,
    "<": functions.lt,
    "<=": functions.le,
    "==": functions.eq,
    "!=": functions.ne,
}


@operator("cross section", missing="kept")
def compare(x: Frame, y: Frame, /, how: Literal[">", ">=", "<", "<=", "==", "!="]) -> Frame:
    """Whether x stands to y in that relation, cell by cell.

    Parameters
    ----------
    x: dates x shares, in any unit.
    y: dates x shares in the unit of x, or of one factor.
    how: the relation.

    Returns
    -------
    dates x shares, 1 where it does and 0 where not.

    Missing values: missing where either is.

    >>> import pandas as pd
    >>> dates = pd.date_range("2020-01-01", periods=3)
    >>> x, y = pd.DataFrame({"A": [1, 2, 3]}, dates), pd.DataFrame({"A": [2, 2, None]}, dates)
    >>> compare(x, y, how=">=")["A"].tolist()
    [0.0, 1.0, nan]

    """
    a, b = values(x), values(y)
    return like(x, np.where(np.isnan(a) | np.isnan(b), np.nan, _COMPARISONS[how](a, b)))
