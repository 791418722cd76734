"""Whether values lie in a range."""

from __future__ import annotations

import numpy as np

from deriv_ops.kernels import like, values
from deriv_ops.operators.declare import Frame, operator


@operator("cross section", missing="kept")
def between(x: Frame, /, lower: float | None = None, upper: float | None = None) -> Frame:
    """Whether x is between two bounds, both included.

    Parameters
    ----------
    x: dates x shares, in any unit.
    lower: the lower bound; None for no bound.
    upper: the upper bound; None for no bound.

    Returns
    -------
    dates x shares, 1 where it is and 0 where not.

    Missing values: missing where x is.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [1, 2, None]}, pd.date_range("2020-01-01", periods=3))
    >>> between(x, lower=2)["A"].tolist()
    [0.0, 1.0, nan]

    """
    cells = values(x)
    inside = np.ones(cells.shape, bool)
    if lower is not None:
        inside &= cells >= lower
    if upper is not None:
        inside &= cells <= upper
    return like(x, np.where(np.isnan(cells), np.nan, inside))
