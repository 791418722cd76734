"""Sums and extremes over trailing windows, from those of the end of one block of rows and the
beginning of the next (see `windows`): nothing is ever subtracted.
"""

from __future__ import annotations

import numpy as np
from numba import types

from deriv_ops.kernels import FRAME, Floats, kernel, part
from deriv_ops.kernels.windows import TILE, state_of, states_of

SUM, MEAN = range(2)
LEAST, LARGEST, AGE_OF_LEAST, AGE_OF_LARGEST = range(4)


@kernel(FRAME, types.int64, types.int64, types.int64)
def sums(x: Floats, window: int, needed: int, what: int) -> Floats:
    """Return the sum, or the mean, of each window with at least `needed` values."""
    rows, columns = x.shape
    block = max(min(window, rows), 1)
    out = np.empty((rows, columns))
    # The number of values that are there, and their sum.
    ends, begun = states_of(x, block, 2), np.empty(2 * TILE)
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
                _add(x[row, lo : lo + width], begun)
                end, to = state_of(ends, row - first + 1), out[row, lo : lo + width]
                if what == SUM:
                    _sum(end, begun, needed, to)
                else:
                    _mean(end, begun, needed, to)
    return out


@kernel(FRAME, types.int64, types.int64)
def decayed_means(x: Floats, window: int, needed: int) -> Floats:
    """Return the mean of each window with weights that fall linearly with age."""
    rows, columns = x.shape
    block = max(min(window, rows), 1)
    out = np.empty((rows, columns))
    # Of the values that are there: their number, their sum, the sums of the places from which on
    # they are, and those of their products with the values.
    ends, begun = states_of(x, block, 4), np.empty(4 * TILE)
    tile = ends[3]
    for lo in range(0, columns, tile):
        width = min(tile, columns - lo)
        ends[0][:] = 0.0
        for first in range(0, rows, block):
            if first:
                for at in range(block - 1, 0, -1):
                    values = x[first - block + at, lo : lo + width]
                    _placed_before(values, state_of(ends, at + 1), state_of(ends, at))
            begun[:] = 0.0
            for row in range(first, min(first + block, rows)):
                place = row - first
                _placed(x[row, lo : lo + width], place, begun)
                end, to = state_of(ends, place + 1), out[row, lo : lo + width]
                _decayed(end, begun, window - 1 - place, needed, to)
    return out


@part
def _add(values: Floats, state: Floats) -> None:
    for c in range(len(values)):
        seen = abs(values[c]) < np.inf
        state[c] += 1.0 if seen else 0.0
        state[TILE + c] += values[c] if seen else 0.0


@part
def _added(values: Floats, state: Floats, to: Floats) -> None:
    for c in range(len(values)):
        seen = abs(values[c]) < np.inf
        to[c] = state[c] + (1.0 if seen else 0.0)
        to[TILE + c] = state[TILE + c] + (values[c] if seen else 0.0)


@part
def _mean(end: Floats, begun: Floats, needed: int, out: Floats) -> None:
    for c in range(len(out)):
        count = end[c] + begun[c]
        mean = (end[TILE + c] + begun[TILE + c]) / count
        out[c] = mean if (count >= needed and abs(mean) < np.inf) else np.nan


@part
def _placed(values: Floats, place: int, state: Floats) -> None:
    """Add a row whose weight counts from the block's first one on: 1 there."""
    for c in range(len(values)):
        seen = values[c] == values[c]
        value, one = values[c] if seen else 0.0, 1.0 if seen else 0.0
        state[c] += one
        state[TILE + c] += value
        state[2 * TILE + c] += (place + 1.0) * one
        state[3 * TILE + c] += (place + 1.0) * value


@part
def _placed_before(values: Floats, state: Floats, to: Floats) -> None:
    """Put a row before those of a state; each of them weighs one more, and it weighs one."""
    for c in range(len(values)):
        seen = values[c] == values[c]
        value, one = values[c] if seen else 0.0, 1.0 if seen else 0.0
        count, total = state[c] + one, state[TILE + c] + value
        to[c] = count
        to[TILE + c] = total
        to[2 * TILE + c] = state[2 * TILE + c] + count
        to[3 * TILE + c] = state[3 * TILE + c] + total


@part
def _sum(end: Floats, begun: Floats, needed: int, out: Floats) -> None:
    for c in range(len(out)):
        count = end[c] + begun[c]
        total = end[TILE + c] + begun[TILE + c]
        out[c] = total if (count >= needed and abs(total) < np.inf) else np.nan


@part
def _decayed(end: Floats, begun: Floats, older: int, needed: int, out: Floats) -> None:
    """Give the rows begun the weight that `older` rows before them leave to them."""
    for c in range(len(out)):
        weights = end[2 * TILE + c] + (begun[2 * TILE + c] + older * begun[c])
        total = end[3 * TILE + c] + (begun[3 * TILE + c] + older * begun[TILE + c])
        out[c] = total / weights if end[c] + begun[c] >= needed else np.nan


@kernel(FRAME, types.int64, types.int64, types.int64)
def extremes(x: Floats, window: int, needed: int, what: int) -> Floats:
    """Return the least or largest value of each window, or how many rows ago it was.

    A window of 0 is all history. Of equal values the latest counts.
    """
    rows, columns = x.shape
    block = window if 0 < window < rows else max(rows, 1)
    sign = -1.0 if what in (LEAST, AGE_OF_LEAST) else 1.0
    aged = what in (AGE_OF_LEAST, AGE_OF_LARGEST)
    out = np.empty((rows, columns))
    # Of the values that are there: their number, the largest (times the sign), and its row.
    ends, begun = states_of(x, block, 3), np.empty(3 * TILE)
    last, tile = ends[1], ends[3]
    for lo in range(0, columns, tile):
        width = min(tile, columns - lo)
        for at in range(last + 1):
            _empty(state_of(ends, at), width)
        for first in range(0, rows, block):
            if first:
                for at in range(block - 1, 0, -1):
                    row = first - block + at
                    values, to = x[row, lo : lo + width], state_of(ends, at)
                    _largest_before(values, sign, row, state_of(ends, at + 1), to)
            _empty(begun, width)
            for row in range(first, min(first + block, rows)):
                _largest(x[row, lo : lo + width], sign, row, begun)
                end, to = state_of(ends, row - first + 1), out[row, lo : lo + width]
                _extreme(end, begun, sign, row, aged, needed, to)
    return out


@part
def _empty(state: Floats, width: int) -> None:
    for c in range(width):
        state[c], state[TILE + c], state[2 * TILE + c] = 0.0, -np.inf, 0.0


@part
def _largest(values: Floats, sign: float, row: int, state: Floats) -> None:
    for c in range(len(values)):
        value, largest = sign * values[c], state[TILE + c]
        state[c] += 1.0 if value == value else 0.0
        state[TILE + c] = value if value >= largest else largest
        state[2 * TILE + c] = row if value >= largest else state[2 * TILE + c]


@part
def _largest_before(values: Floats, sign: float, row: int, state: Floats, to: Floats) -> None:
    for c in range(len(values)):
        value, largest = sign * values[c], state[TILE + c]
        to[c] = state[c] + (1.0 if value == value else 0.0)
        to[TILE + c] = value if value > largest else largest
        to[2 * TILE + c] = row if value > largest else state[2 * TILE + c]


@part
def _extreme(
    end: Floats, begun: Floats, sign: float, row: int, aged: bool, needed: int, out: Floats
) -> None:
    for c in range(len(out)):
        older = end[TILE + c] > begun[TILE + c]
        largest = end[TILE + c] if older else begun[TILE + c]
        at = end[2 * TILE + c] if older else begun[2 * TILE + c]
        found = row - at if aged else sign * largest
        out[c] = found if end[c] + begun[c] >= needed else np.nan
