"""Functions of single values."""

from __future__ import annotations

from typing import Literal

import numpy as np

from deriv_ops.kernels import finite, like, values
from deriv_ops.operators.declare import Frame, operator

_FUNCTIONS = {
    "abs": np.abs,
    "log": np.log,
    "sqrt": np.sqrt,
    "sign": np.sign,
    "square": np.square,
    "reciprocal": np.reciprocal,
    "exp": np.exp,
}


@operator("cross section", missing="kept")
def transform(
    x: Frame,
    /,
    function: Literal["abs", "log", "sqrt", "sign", "square", "reciprocal", "exp"],
) -> Frame:
    """A function of each value.

    Parameters
    ----------
    x: dates x shares, in any unit.
    function: which one; `log` is the natural logarithm.

    Returns
    -------
    dates x shares.

    Missing values: missing where x is, and where the function has no finite value.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [4, 0, -1]}, pd.date_range("2020-01-01", periods=3))
    >>> transform(x, function="sqrt")["A"].tolist()
    [2.0, 0.0, nan]

    """
    with np.errstate(all="ignore"):
        return like(x, finite(_FUNCTIONS[function](values(x))))
