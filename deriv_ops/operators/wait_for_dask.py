"""A derivation that only takes time."""

from __future__ import annotations

import time
from typing import Annotated

from annotated_types import Ge

from deriv_ops.operators.declare import Frame, operator


@operator("time series", lookback=0, missing="kept")
def wait_for_dask(x: Frame, /, seconds: Annotated[float, Ge(0)] = 1.0) -> Frame:
    """Hand x on after a wait, to look at how a run is scheduled.

    Parameters
    ----------
    x: dates x shares.
    seconds: how long to wait.

    Returns
    -------
    x as it is, infinite values as missing.

    Missing values: as in x.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [1.0]}, pd.date_range("2020-01-01", periods=1))
    >>> wait_for_dask(x, seconds=0).equals(x)
    True

    """
    time.sleep(seconds)
    return x
