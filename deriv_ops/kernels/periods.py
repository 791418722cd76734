"""Statistics of calendar periods, each given to the rows of the period after it."""

from __future__ import annotations

import numpy as np
from numba import types
from numpy.typing import NDArray

from deriv_ops.kernels import FRAME, Floats, kernel, part

LAST, FIRST, LEAST, LARGEST, SUM, MEAN, DEVIATION = range(7)

# Made for the kernel, so that they may be written to; it does not.
NUMBERS = types.Array(types.int64, 1, "C")


@kernel(FRAME, NUMBERS, types.int64)
def finished(x: Floats, numbers: NDArray[np.int64], what: int) -> Floats:
    """Return for each row the statistic of the period before that of the row.

    Rows come with the numbers of their periods, which ascend; a period without rows has no
    statistic. The deviation is that of a sample (n - 1), of two values at the least.
    """
    rows, columns = x.shape
    out = np.empty((rows, columns))
    # Of the period so far: how many values, what is kept of them or their mean, their squares.
    count, kept, squares = np.zeros(columns), np.full(columns, np.nan), np.zeros(columns)
    before = np.full(columns, np.nan)
    for row in range(rows):
        if row > 0 and numbers[row] != numbers[row - 1]:
            if numbers[row] == numbers[row - 1] + 1:
                _finish(count, kept, squares, what == DEVIATION, before)
            else:
                before[:] = np.nan
            count[:] = 0.0
            kept[:] = np.nan
            squares[:] = 0.0
        if what in (MEAN, DEVIATION):
            _average(x[row], count, kept, squares)
        else:
            _keep(x[row], what, count, kept)
        out[row] = before
    return out


@part
def _keep(values: Floats, what: int, count: Floats, kept: Floats) -> None:
    for c in range(len(values)):
        value, old = values[c], kept[c]
        if what == LAST:
            new = value
        elif what == FIRST:
            new = old
        elif what == LEAST:
            new = value if value < old else old
        elif what == LARGEST:
            new = value if value > old else old
        else:
            new = old + value
        seen = value == value
        new = new if count[c] > 0.0 else value
        kept[c] = new if seen else old
        count[c] += 1.0 if seen else 0.0


@part
def _average(values: Floats, count: Floats, mean: Floats, squares: Floats) -> None:
    """Add a row one value at a time (Welford 1962): equal values deviate by exactly nothing."""
    for c in range(len(values)):
        value = values[c]
        seen = value == value
        n = count[c] + (1.0 if seen else 0.0)
        old = mean[c] if count[c] > 0.0 else value
        delta = value - old
        new = old + delta / n
        squares[c] += delta * (value - new) if seen else 0.0
        mean[c] = new if seen else mean[c]
        count[c] = n


@part
def _finish(count: Floats, kept: Floats, squares: Floats, deviation: bool, out: Floats) -> None:
    for c in range(len(out)):
        result = kept[c]
        if deviation:
            result = np.sqrt(squares[c] / (count[c] - 1.0)) if count[c] > 1.0 else np.nan
        out[c] = result if abs(result) < np.inf else np.nan
