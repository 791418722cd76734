"""Variance and what is made of it over trailing windows.

The rows are cut into blocks of the window's length. A window is then the end of one block and the
beginning of the next, and its moments are those of the two, merged (Chan, Golub and LeVeque 1983,
doi:10.1080/00031305.1983.10483115), each built up one value at a time (Welford 1962). Nothing is
ever subtracted from what was summed before: a huge value spoils only the windows that hold it, a
window of equal values has a variance of exactly zero, and no error grows with the rows.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numba import types

from deriv_ops.kernels import FRAME, Floats, kernel, part

VARIANCE, DEVIATION, ZSCORE = range(3)

# In a state: the count, the mean, the squares.
NUMBERS = 3

# How far the numbers of a state lie apart: no more columns are worked on at a time.
TILE = 1024

# Room for them, and which there are: the last one, how many numbers each has, for how many columns.
States: TypeAlias = tuple[Floats, int, int, int]


@part
def states_of(x: Floats, block: int, numbers: int) -> States:
    """Return room for the states of a block of rows: from the first one on, from the second on ...

    There are no more than the next block will ask for: few if that is a short one, and of a single
    block only the empty one.
    """
    rows, columns = x.shape
    last = min(block, rows - block)
    tile = max(min(columns, TILE), 1)
    return np.empty((last // (TILE // tile) + 1) * numbers * TILE), last, numbers, tile


@part
def state_of(states: States, at: int) -> Floats:
    """Return a state: its numbers are at c, TILE + c, 2 * TILE + c ...

    As many states are side by side as a TILE has room for. Those that nobody asks for are one.
    """
    room, last, numbers, tile = states
    at, beside = min(at, last), TILE // tile
    return room[at // beside * numbers * TILE + at % beside * tile :]


@kernel(FRAME, types.int64, types.int64, types.int64)
def moments(x: Floats, window: int, needed: int, what: int) -> Floats:
    """Return the spread of each window with at least `needed` values.

    A window of 0 is all history. ZSCORE is the row's own value, less the mean, over the deviation.
    The variance is that of a sample (n - 1).
    """
    rows, columns = x.shape
    block = window if 0 < window < rows else max(rows, 1)
    out = np.empty((rows, columns))
    # Of the block before: its last rows, from each of its rows on.
    ends, begun = states_of(x, block, NUMBERS), np.empty(NUMBERS * TILE)
    tile = ends[3]
    for lo in range(0, columns, tile):
        width = min(tile, columns - lo)
        ends[0][:] = 0.0
        for first in range(0, rows, block):
            if first:
                for at in range(block - 1, 0, -1):
                    values = x[first - block + at, lo : lo + width]
                    _added(values, state_of(ends, at + 1), state_of(ends, at))
            begun[:] = 0.0
            for row in range(first, min(first + block, rows)):
                values = x[row, lo : lo + width]
                _add(values, begun)
                end = state_of(ends, row - first + 1)
                to = out[row, lo : lo + width]
                if what == ZSCORE:
                    _zscore(values, end, begun, needed, to)
                else:
                    _variance(end, begun, needed, what == DEVIATION, to)
    return out


@part
def _with(value: float, count: float, mean: float, squares: float) -> tuple[float, float, float]:
    """Return the numbers of a state and one more value."""
    seen = abs(value) < np.inf
    count += 1.0 if seen else 0.0
    delta = value - mean if seen else 0.0
    mean += delta / (count if count > 1.0 else 1.0)
    return count, mean, squares + (delta * (value - mean) if seen else 0.0)


@part
def _add(values: Floats, state: Floats) -> None:
    """Add a row to a state."""
    for c in range(len(values)):
        numbers = _with(values[c], state[c], state[TILE + c], state[2 * TILE + c])
        state[c], state[TILE + c], state[2 * TILE + c] = numbers


@part
def _added(values: Floats, state: Floats, to: Floats) -> None:
    """Write the sum of a row and a state to another state."""
    for c in range(len(values)):
        numbers = _with(values[c], state[c], state[TILE + c], state[2 * TILE + c])
        to[c], to[TILE + c], to[2 * TILE + c] = numbers


@part
def _variance(end: Floats, begun: Floats, needed: int, root: bool, out: Floats) -> None:
    for c in range(len(out)):
        count = end[c] + begun[c]
        # One division in place of two, by the count and by one less.
        inverse = 1.0 / (count * (count - 1.0))
        share = begun[c] * (count - 1.0) * inverse
        delta = begun[TILE + c] - end[TILE + c]
        squares = end[2 * TILE + c] + begun[2 * TILE + c] + delta * delta * end[c] * share
        variance = squares * (count * inverse)
        variance = np.sqrt(variance) if root else variance
        out[c] = variance if (count >= needed and variance < np.inf) else np.nan


@part
def _zscore(values: Floats, end: Floats, begun: Floats, needed: int, out: Floats) -> None:
    for c in range(len(out)):
        count = end[c] + begun[c]
        inverse = 1.0 / (count * (count - 1.0))
        share = begun[c] * (count - 1.0) * inverse
        delta = begun[TILE + c] - end[TILE + c]
        squares = end[2 * TILE + c] + begun[2 * TILE + c] + delta * delta * end[c] * share
        mean = end[TILE + c] + delta * share
        score = (values[c] - mean) / np.sqrt(squares * (count * inverse))
        seen = abs(values[c]) < np.inf
        out[c] = score if (seen and count >= needed and squares > 0.0) else np.nan
