"""Order statistics over trailing windows: each column's window is kept sorted."""

from __future__ import annotations

import numpy as np
from numba import types

from deriv_ops.kernels import FRAME, Floats, kernel, part

# How many values are compared at once.
AT_ONCE = 64


@kernel(FRAME, types.int64, types.int64, types.float64)
def quantiles(x: Floats, window: int, needed: int, quantile: float) -> Floats:
    """Return a quantile of each window, linear between its values; 0.5 is the median."""
    rows, columns = x.shape
    out = np.empty((rows, columns))
    # A column lies far apart in memory: some at a time are put together.
    for lo in range(0, columns, 16):
        tile = x[:, lo : lo + 16].T.copy()
        found = np.empty(tile.shape)
        for c in range(len(tile)):
            held, count = _empty(min(window, rows)), 0
            for row in range(rows):
                count = _slide(tile[c], row, window, held, count)
                found[c, row] = _quantile(held, count, quantile) if count >= needed else np.nan
        out[:, lo : lo + 16] = found.T
    return out


@kernel(FRAME, types.int64, types.int64, types.boolean)
def ranks(x: Floats, window: int, needed: int, relative: bool) -> Floats:
    """Return the rank of the row's own value in each window, the mean one of equal values."""
    rows, columns = x.shape
    out = np.empty((rows, columns))
    for lo in range(0, columns, 16):
        tile = x[:, lo : lo + 16].T.copy()
        found = np.empty(tile.shape)
        for c in range(len(tile)):
            held, count = _empty(min(window, rows)), 0
            for row in range(rows):
                count = _slide(tile[c], row, window, held, count)
                value = tile[c, row]
                found[c, row] = np.nan
                if value == value and count >= needed:
                    below = _below(held, value)
                    upto = below
                    while upto < count and held[upto] == value:
                        upto += 1
                    rank = (below + upto + 1) / 2
                    found[c, row] = rank / count if relative else rank
        out[:, lo : lo + 16] = found.T
    return out


@part
def _empty(window: int) -> Floats:
    """Return room for a window and one more value; what isn't used is infinite."""
    return np.full((window // AT_ONCE + 1) * AT_ONCE, np.inf)


@part
def _slide(column: Floats, row: int, window: int, held: Floats, count: int) -> int:
    """Take the row that leaves the window out of what is held sorted, put the new one in."""
    gone = column[row - window] if row >= window else np.nan
    value = column[row]
    leaves, comes = gone == gone, value == value
    at = _below(held, gone) if leaves else count
    to = _below(held, value) if comes else count
    # Only what lies between the two places moves.
    if to > at:
        for moved in range(at, to - 1):
            held[moved] = held[moved + 1]
        to -= 1
    else:
        for moved in range(at, to, -1):
            held[moved] = held[moved - 1]
    if comes:
        held[to] = value
    elif leaves:
        held[count - 1] = np.inf
    return count + (1 if comes else 0) - (1 if leaves else 0)


@part
def _below(held: Floats, value: float) -> int:
    """Return how many of the values held are less.

    Many are compared at once, which is faster than to find the place by halves.
    """
    less = 0
    for first in range(0, len(held), AT_ONCE):
        if held[first + AT_ONCE - 1] < value:
            less += AT_ONCE
            continue
        for at in range(AT_ONCE):
            less += held[first + at] < value
        break
    return less


@part
def _quantile(held: Floats, count: int, quantile: float) -> float:
    if count == 0:
        return np.nan
    place = quantile * (count - 1)
    below = int(place)
    above = min(below + 1, count - 1)
    return float(held[below] + (held[above] - held[below]) * (place - below))
