"""Mean of several frames."""

from __future__ import annotations

import numpy as np

from deriv_ops.kernels import cells, like, values
from deriv_ops.operators.declare import Frame, operator


@operator("cross section", missing="left out")
def average(x: Frame, /, *others: Frame) -> Frame:
    """Mean of the frames, cell by cell.

    Parameters
    ----------
    x: dates x shares, in any unit.
    others: any number of frames like x, or of one factor.

    Returns
    -------
    dates x shares, in the unit of x.

    Missing values: left out of the mean; missing where all are.

    >>> import pandas as pd
    >>> dates = pd.date_range("2020-01-01", periods=3)
    >>> x, y = pd.DataFrame({"A": [1, 2, None]}, dates), pd.DataFrame({"A": [3, None, None]}, dates)
    >>> average(x, y)["A"].tolist()
    [2.0, 2.0, nan]

    """
    return like(x, cells.averages(np.stack([values(frame) for frame in (x, *others)])))
