"""Order statistics over trailing windows: each column's window is kept sorted."""

from __future__ import annotations

import numpy as np
from numba import types

from deriv_ops.kernels import FRAME, Floats, kernel, part

AT_ONCE = 128


@kernel(FRAME, types.int64, types.int64, types.float64)
def quantiles(x: Floats, window: int, needed: int, quantile: float) -> Floats:
    """Return a quantile of each window, linear between its values; 0.5 is the median."""
    rows, columns = x.shape
    out = np.empty((rows, columns))
    held = np.empty(min(window, rows) + 1)
    # A column lies far apart in memory: some at a time are put together.
    for lo in range(0, columns, 16):
        tile = x[:, lo : lo + 16].T.copy()
        found = np.empty(tile.shape)
        for c in range(len(tile)):
            count = 0
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
    held = np.empty(min(window, rows) + 1)
    for lo in range(0, columns, 16):
        tile = x[:, lo : lo + 16].T.copy()
        found = np.empty(tile.shape)
        for c in range(len(tile)):
            count = 0
            for row in range(rows):
                count = _slide(tile[c], row, window, held, count)
                value = tile[c, row]
                found[c, row] = np.nan
                if value == value and count >= needed:
                    below = _below(held, count, value)
                    upto = below
                    while upto < count and held[upto] == value:
                        upto += 1
                    rank = (below + upto + 1) / 2
                    found[c, row] = rank / count if relative else rank
        out[:, lo : lo + 16] = found.T
    return out


@part
def _slide(column: Floats, row: int, window: int, held: Floats, count: int) -> int:
    """Take the row that leaves the window out of what is held sorted, put the new one in."""
    gone = column[row - window] if row >= window else np.nan
    value = column[row]
    if gone == gone:
        at = _below(held, count, gone)
        if value == value:
            # One for the other: only what lies between them moves.
            to = _below(held, count, value)
            if to > at:
                for moved in range(at, to - 1):
                    held[moved] = held[moved + 1]
                held[to - 1] = value
            else:
                for moved in range(at, to, -1):
                    held[moved] = held[moved - 1]
                held[to] = value
            return count
        for moved in range(at, count - 1):
            held[moved] = held[moved + 1]
        return count - 1
    if value == value:
        to = _below(held, count, value)
        for moved in range(count, to, -1):
            held[moved] = held[moved - 1]
        held[to] = value
        return count + 1
    return count


@part
def _below(held: Floats, count: int, value: float) -> int:
    """Return how many of the values held are less."""
    lo, hi = 0, count
    # The last few are compared all at once, which is faster than to guess where to look.
    while hi - lo > AT_ONCE:
        middle = (lo + hi) // 2
        if held[middle] < value:
            lo = middle + 1
        else:
            hi = middle
    less = lo
    for at in range(lo, hi):
        less += 1 if held[at] < value else 0
    return less


@part
def _quantile(held: Floats, count: int, quantile: float) -> float:
    if count == 0:
        return np.nan
    place = quantile * (count - 1)
    below = int(place)
    above = min(below + 1, count - 1)
    return float(held[below] + (held[above] - held[below]) * (place - below))
