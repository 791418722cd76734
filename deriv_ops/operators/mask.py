"""Values of chosen cells."""

from __future__ import annotations

import numpy as np

from deriv_ops.kernels import like, values
from deriv_ops.operators.declare import Frame, operator


@operator("cross section", missing="kept")
def mask(x: Frame, condition: Frame, /) -> Frame:
    """x where the condition holds.

    Parameters
    ----------
    x: dates x shares, in any unit.
    condition: dates x shares, or of one factor; it holds where it is neither 0 nor missing.

    Returns
    -------
    dates x shares, in the unit of x.

    Missing values: missing where x is, and where the condition is missing or 0.

    >>> import pandas as pd
    >>> dates = pd.date_range("2020-01-01", periods=3)
    >>> x, y = pd.DataFrame({"A": [1, 2, 3]}, dates), pd.DataFrame({"A": [1, 0, None]}, dates)
    >>> mask(x, y)["A"].tolist()
    [1.0, nan, nan]

    """
    holds = values(condition)
    return like(x, np.where((holds != 0) & ~np.isnan(holds), values(x), np.nan))
