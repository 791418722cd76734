"""Values in another unit."""

from __future__ import annotations

from deriv_ops.kernels import cells, like, values
from deriv_ops.operators.declare import Frame, operator


@operator("cross section", missing="kept", takes_infinite=True)
def scale(x: Frame, /, factor: float = 1.0, offset: float = 0.0) -> Frame:
    """x times a factor, plus an offset.

    Parameters
    ----------
    x: dates x shares, in any unit.
    factor: what x is multiplied by.
    offset: what is added then.

    Returns
    -------
    dates x shares.

    Missing values: missing where x is.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [1, None]}, pd.date_range("2020-01-01", periods=2))
    >>> scale(x, factor=100, offset=-1)["A"].tolist()
    [99.0, nan]

    """
    return like(x, cells.scaled(values(x), factor, offset))
