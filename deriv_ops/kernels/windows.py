"""Variance and what is made of it over trailing windows.

The rows are cut into blocks of the window's length. A window is then the end of one block and the
beginning of the next, and its moments are those of the two, merged (Chan, Golub and LeVeque 1983,
doi:10.1080/00031305.1983.10483115), each built up one value at a time (Welford 1962). Nothing is
ever subtracted from what was summed before: a huge value spoils only the windows that hold it, a
window of equal values has a variance of exactly zero, and no error grows with the rows.
"""

from __future__ import annotations

import numpy as np
from numba import types

from deriv_ops.kernels import FRAME, Floats, kernel, part

VARIANCE, DEVIATION, ZSCORE = range(3)

# How many columns are worked on at a time. In a state: the counts, the means, the squares.
TILE = 1024


@kernel(FRAME, types.int64, types.int64, types.int64)
def moments(x: Floats, window: int, needed: int, what: int) -> Floats:
    """Return the spread of each window with at least `needed` values.

    A window of 0 is all history. ZSCORE is the row's own value, less the mean, over the deviation.
    The variance is that of a sample (n - 1).
    """
    rows, columns = x.shape
    block = window if window > 0 else max(rows, 1)
    out = np.empty((rows, columns))
    # Of the block before: its last rows, from each of its rows on. Stays empty for all history.
    ends = np.zeros((window + 1, 3 * TILE))
    begun = np.empty(3 * TILE)
    for lo in range(0, columns, TILE):
        width = min(TILE, columns - lo)
        ends[:] = 0.0
        for first in range(0, rows, block):
            if first:
                for at in range(block - 1, 0, -1):
                    _added(x[first - block + at, lo : lo + width], ends[at + 1], ends[at])
            begun[:] = 0.0
            for row in range(first, min(first + block, rows)):
                values = x[row, lo : lo + width]
                _add(values, begun)
                end = ends[row - first + 1 if window > 0 else 0]
                to = out[row, lo : lo + width]
                if what == ZSCORE:
                    _zscore(values, end, begun, needed, to)
                else:
                    _variance(end, begun, needed, what == DEVIATION, to)
    return out


@part
def _add(values: Floats, state: Floats) -> None:
    """Add a row to a state."""
    for c in range(len(values)):
        value, mean = values[c], state[TILE + c]
        seen = value == value
        count = state[c] + (1.0 if seen else 0.0)
        delta = value - mean if seen else 0.0
        mean += delta / (count if count > 1.0 else 1.0)
        state[c] = count
        state[TILE + c] = mean
        state[2 * TILE + c] += delta * (value - mean) if seen else 0.0


@part
def _added(values: Floats, state: Floats, to: Floats) -> None:
    """Write the sum of a row and a state to another state."""
    for c in range(len(values)):
        value, mean = values[c], state[TILE + c]
        seen = value == value
        count = state[c] + (1.0 if seen else 0.0)
        delta = value - mean if seen else 0.0
        mean += delta / (count if count > 1.0 else 1.0)
        to[c] = count
        to[TILE + c] = mean
        to[2 * TILE + c] = state[2 * TILE + c] + (delta * (value - mean) if seen else 0.0)


@part
def _variance(end: Floats, begun: Floats, needed: int, root: bool, out: Floats) -> None:
    for c in range(len(out)):
        count = end[c] + begun[c]
        share = begun[c] / count
        delta = begun[TILE + c] - end[TILE + c]
        squares = end[2 * TILE + c] + begun[2 * TILE + c] + delta * delta * end[c] * share
        variance = squares / (count - 1.0)
        variance = np.sqrt(variance) if root else variance
        out[c] = variance if (count >= needed and variance < np.inf) else np.nan


@part
def _zscore(values: Floats, end: Floats, begun: Floats, needed: int, out: Floats) -> None:
    for c in range(len(out)):
        count = end[c] + begun[c]
        share = begun[c] / count
        delta = begun[TILE + c] - end[TILE + c]
        squares = end[2 * TILE + c] + begun[2 * TILE + c] + delta * delta * end[c] * share
        mean = end[TILE + c] + delta * share
        score = (values[c] - mean) / np.sqrt(squares / (count - 1.0))
        out[c] = score if (count >= needed and squares > 0.0) else np.nan
