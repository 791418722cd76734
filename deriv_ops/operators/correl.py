"""Rolling correlation of two frames, share by share."""

from __future__ import annotations

import numpy as np
import pandas as pd

from deriv_ops.operators._types import Rows
from deriv_ops.operators._windows import centred, windows
from deriv_ops.operators.declare import Frame, operator


@operator(aliases={"minp": "min_periods"})
def correl(x: Frame, y: Frame, /, window: Rows, min_periods: Rows | None = None) -> Frame:
    """Pearson correlation of a share's x with its y over the trailing `window` rows.

    Parameters
    ----------
    x, y: dates x shares.
    window: how many rows, up to and with the row.
    min_periods: how many of them must hold both x and y (two at the least); all when None.

    Returns
    -------
    dates x shares, between -1 and 1.

    Missing values: only rows with both x and y count; missing with fewer than `min_periods` of
    them and where x or y is constant in them.

    >>> import pandas as pd
    >>> dates = pd.date_range("2020-01-01", periods=4)
    >>> x = pd.DataFrame({"A": [1.0, 2, 3, 4]}, dates)
    >>> y = pd.DataFrame({"A": [1.0, 3, 2, 1]}, dates)
    >>> correl(x, y, window=3)["A"].round(12).tolist()
    [nan, nan, 0.5, -1.0]

    """
    both = (x.notna() & y.notna()).to_numpy()
    xs = np.where(both, x.to_numpy(), np.nan)
    ys = np.where(both, y.to_numpy(), np.nan)
    needed = max(2, window if min_periods is None else min_periods)
    result = np.full_like(xs, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        for row, (held_x, held_y) in enumerate(
            zip(windows(xs, window), windows(ys, window), strict=True)
        ):
            count, _, dx = centred(held_x)
            _, _, dy = centred(held_y)
            norm = np.sqrt((dx * dx).sum(axis=0)) * np.sqrt((dy * dy).sum(axis=0))
            defined = (count >= needed) & (norm > 0)
            result[row, defined] = ((dx * dy).sum(axis=0) / norm)[defined]
    return pd.DataFrame(result.clip(-1, 1), x.index, x.columns)
