"""From rows to columns and back: files are by column, kernels by row."""

from __future__ import annotations

import numpy as np

from deriv_ops.kernels import FRAME, Floats, kernel

# Squares of this many values are moved at a time, a cache line from each side.
SIDE = 8


@kernel(FRAME)
def transposed(x: Floats) -> Floats:
    """Return a copy with the columns as rows."""
    rows, columns = x.shape
    out = np.empty((columns, rows))
    for top in range(0, rows, SIDE):
        bottom = min(top + SIDE, rows)
        for left in range(0, columns, SIDE):
            right = min(left + SIDE, columns)
            for column in range(left, right):
                for row in range(top, bottom):
                    out[column, row] = x[row, column]
    return out
