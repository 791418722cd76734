"""Values carried forward."""

from __future__ import annotations

from deriv_ops.kernels import like, values
from deriv_ops.kernels.alignment import filled
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Frame, operator


@operator("time series", lookback=lambda limit: limit, missing="filled", takes_infinite=True)
def fill(x: Frame, /, limit: Rows) -> Frame:
    """Missing values filled with the share's last observation.

    Parameters
    ----------
    x: dates x shares, in any unit.
    limit: how many rows old that observation may be.

    Returns
    -------
    dates x shares, in the unit of x.

    Missing values: filled up to the limit; missing beyond it and before the first observation.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [1, None, None, 4]}, pd.date_range("2020-01-01", periods=4))
    >>> fill(x, limit=1)["A"].tolist()
    [1.0, 1.0, nan, 4.0]

    """
    return like(x, filled(values(x), limit))
