"""Values carried along time."""

from __future__ import annotations

import numpy as np
from numba import types

from deriv_ops.kernels import FRAME, Floats, kernel, part


@kernel(FRAME, types.int64)
def filled(x: Floats, limit: int) -> Floats:
    """Return x with each missing value replaced by the last one, if at most `limit` rows old."""
    rows, columns = x.shape
    out = np.empty((rows, columns))
    nothing, age = np.full(columns, np.nan), np.zeros(columns)
    for row in range(rows):
        _carry(x[row], out[row - 1] if row else nothing, limit, age, out[row])
    return out


@part
def _carry(values: Floats, before: Floats, limit: int, age: Floats, out: Floats) -> None:
    """Write a row and what it lacks from the row before, which has nothing older than the limit."""
    for c in range(len(values)):
        value = values[c]
        seen = abs(value) < np.inf
        rows = 0.0 if seen else age[c] + 1.0
        age[c] = rows
        carried = before[c] if rows <= limit else np.nan
        out[c] = value if seen else carried
