"""Products of frames."""

from __future__ import annotations

from deriv_ops.kernels import cells, finite, like, values
from deriv_ops.operators.declare import Frame, operator


@operator("cross section", missing="kept", takes_infinite=True)
def multiply(x: Frame, /, *others: Frame) -> Frame:
    """Product of the frames, cell by cell.

    Parameters
    ----------
    x: dates x shares, in any unit.
    others: any number of frames like x, or of one factor.

    Returns
    -------
    dates x shares, in the unit that follows from theirs.

    Missing values: missing where any of them is.

    >>> import pandas as pd
    >>> dates = pd.date_range("2020-01-01", periods=2)
    >>> x, y = pd.DataFrame({"A": [1, 2]}, dates), pd.DataFrame({"A": [3, None]}, dates)
    >>> multiply(x, y)["A"].tolist()
    [3.0, nan]

    """
    product = values(x)
    for other in others:
        product = cells.combined(product, values(other), cells.PRODUCT)
    return like(x, product if others else finite(product.copy()))
