"""Changes from an earlier row."""

from __future__ import annotations

import numpy as np
from numba import types

from deriv_ops.kernels import FRAME, Floats, kernel, part

DIFFERENCE, RELATIVE, RATIO = range(3)


@kernel(FRAME, types.int64, types.int64)
def changes(x: Floats, period: int, what: int) -> Floats:
    """Return the change of each value from that of `period` rows ago, missing where not finite.

    RATIO is the one of two values above 0.
    """
    rows, columns = x.shape
    out = np.empty((rows, columns))
    out[: min(period, rows)] = np.nan
    for row in range(period, rows):
        _change(x[row], x[row - period], what, out[row])
    return out


@part
def _change(now: Floats, before: Floats, what: int, out: Floats) -> None:
    for c in range(len(now)):
        if what == DIFFERENCE:
            change = now[c] - before[c]
        elif what == RELATIVE:
            change = now[c] / before[c] - 1.0
            change = change if abs(before[c]) < np.inf else np.nan
        else:
            change = now[c] / before[c]
            change = change if (now[c] > 0.0 and before[c] > 0.0 and change > 0.0) else np.nan
        out[c] = change if abs(change) < np.inf else np.nan
