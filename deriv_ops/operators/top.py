"""The largest shares."""

from __future__ import annotations

import numpy as np

from deriv_ops.kernels import like, values
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator("cross section", missing="kept")
def top(x: Frame, /, count: Rows) -> Frame:
    """Whether a share is one of the `count` largest on that date.

    Parameters
    ----------
    x: dates x shares, in any unit.
    count: how many; more where several are equal to the last of them.

    Returns
    -------
    dates x shares, 1 where it is and 0 where not.

    Missing values: missing where x is.

    >>> import pandas as pd
    >>> x = pd.DataFrame([[1.0, 3, 8, 3]], pd.to_datetime(["2020-01-01"]), list("ABCD"))
    >>> top(x, count=2).iloc[0].tolist()
    [0.0, 1.0, 1.0, 1.0]

    """
    cells = values(x)
    if count >= cells.shape[1]:
        return like(x, np.where(np.isnan(cells), np.nan, 1.0))
    known = np.where(np.isnan(cells), -np.inf, cells)
    least = -np.partition(-known, count - 1, axis=1)[:, count - 1 : count]
    return like(x, np.where(np.isnan(cells), np.nan, known >= least))
