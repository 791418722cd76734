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
    last, age = np.full(columns, np.nan), np.zeros(columns)
    for row in range(rows):
        _carry(x[row], limit, last, age, out[row])
    return out


@part
def _carry(values: Floats, limit: int, last: Floats, age: Floats, out: Floats) -> None:
    for c in range(len(values)):
        seen = values[c] == values[c]
        last[c] = values[c] if seen else last[c]
        age[c] = 0.0 if seen else age[c] + 1.0
        out[c] = last[c] if age[c] <= limit else np.nan
