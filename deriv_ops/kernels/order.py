"""Order statistics over trailing windows: each column's window is kept sorted.

For quantiles of long ones it is enough to sort each block of rows with the one before it, and to
know which of these are in the window: from row to row the quantile moves by a few places (as in
Suomela 2014, arXiv:1406.1717).
"""

from __future__ import annotations

import numpy as np
from numba import types

from deriv_ops.kernels import FRAME, Floats, kernel, part
from deriv_ops.kernels.ranking import room_to_sort, sort

# How many values are compared at once.
AT_ONCE = 64

# From how many rows on a window is long.
LONG = 200


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
            if window >= LONG:
                _quantiles_of_long(tile[c], window, max(needed, 1), quantile, found[c])
                continue
            held, count = _empty(min(window, rows)), 0
            spare = np.empty(len(held) + 1)
            for row in range(rows):
                gone = tile[c, row - window] if row >= window else np.nan
                value = tile[c, row]
                _slide(gone, value, held, spare)
                count += (1 if value == value else 0) - (1 if gone == gone else 0)
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
            spare = np.empty(len(held) + 1)
            for row in range(rows):
                gone = tile[c, row - window] if row >= window else np.nan
                value = tile[c, row]
                _slide(gone, value, held, spare)
                count += (1 if value == value else 0) - (1 if gone == gone else 0)
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
def _slide(gone: float, value: float, held: Floats, spare: Floats) -> None:
    """Take a value out of what is held sorted and put another one in; NaN stands for none.

    No place is looked for: each value is told from its neighbours alone, so that the processor
    does many at once.
    """
    leaves, comes = gone == gone, value == value
    if not (leaves or comes):
        return
    first, end = 0, len(held)
    if leaves and comes:
        # Only what lies between the two changes.
        least, most = min(gone, value), max(gone, value)
        while held[first + AT_ONCE - 1] < least:
            first += AT_ONCE
        end = first + AT_ONCE
        while end < len(held) and held[end] <= most:
            end += AT_ONCE
    part, without = held[first:end], spare[1 : end - first + 1]
    size = end - first
    if leaves:
        for at in range(size - 1):
            here, after = part[at], part[at + 1]
            without[at] = here if here < gone else after
        without[size - 1] = np.inf
    else:
        for at in range(size):
            without[at] = part[at]
    if comes:
        # In the spare room what comes before each value is a place to the left.
        spare[0] = -np.inf
        for at in range(size):
            before, here = spare[at], without[at]
            here = here if here < value else value
            part[at] = before if before > here else here
    else:
        for at in range(size):
            part[at] = without[at]


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


@part
def _quantiles_of_long(
    values: Floats, window: int, needed: int, quantile: float, out: Floats
) -> None:
    rows = len(values)
    block = max(min(window, rows), 1)
    # Of the rows of two blocks: their order, the place of each in it, and whether a place is that
    # of a row in the window.
    room, ordered = room_to_sort(2 * block), np.empty(2 * block, np.int32)
    places, held = np.empty(2 * block, np.int32), np.empty(2 * block, np.bool_)
    for first in range(0, rows, block):
        begin = max(first - block + 1, 0)
        some = values[begin : first + block]
        sort(some, room, ordered[: len(some)])
        for place in range(len(some)):
            places[ordered[place]] = place
        held[:] = False
        for row in range(first - begin):
            held[places[row]] = some[row] == some[row]
        count = held.sum()
        # A place, and how many are held before it.
        place, before = 0, 0
        for row in range(first - begin, len(some)):
            gone = row - window
            if gone >= 0 and some[gone] == some[gone]:
                held[places[gone]] = False
                before -= places[gone] < place
                count -= 1
            if some[row] == some[row]:
                held[places[row]] = True
                before += places[row] < place
                count += 1
            if count < needed:
                out[begin + row] = np.nan
                continue
            wanted = quantile * (count - 1)
            while before > int(wanted):
                place -= 1
                before -= held[place]
            while before < int(wanted) or not held[place]:
                before += held[place]
                place += 1
            found, share = some[ordered[place]], wanted - int(wanted)
            if share > 0.0:
                above = place + 1
                while not held[above]:
                    above += 1
                found += (some[ordered[above]] - found) * share
            out[begin + row] = found
