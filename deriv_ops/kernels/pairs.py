"""Covariance of two frames over trailing windows, share by share, and what is made of it.

Built up as in `windows`, from the rows in which both frames have a value.
"""

from __future__ import annotations

import numpy as np
from numba import types

from deriv_ops.kernels import FRAME, Floats, kernel, part

COVARIANCE, CORRELATION, BETA, RESIDUAL = range(4)

# How many columns are worked on at a time. In a state, one after the other: the count, the means
# of x and y, the squares of x and y and their product.
TILE = 512


@kernel(FRAME, FRAME, types.int64, types.int64, types.int64)
def comoments(x: Floats, y: Floats, window: int, needed: int, what: int) -> Floats:
    """Return a joint moment of each window with at least `needed` rows that have both.

    BETA is the slope of the regression of x on y, RESIDUAL the row's own x less the fitted one.
    """
    rows, columns = x.shape
    out = np.empty((rows, columns))
    ends = np.zeros((window + 1, 6 * TILE))
    begun = np.empty(6 * TILE)
    for lo in range(0, columns, TILE):
        width = min(TILE, columns - lo)
        ends[:] = 0.0
        for first in range(0, rows, window):
            if first:
                for at in range(window - 1, 0, -1):
                    row = first - window + at
                    ends[at] = ends[at + 1]
                    _add(x[row, lo : lo + width], y[row, lo : lo + width], ends[at])
            begun[:] = 0.0
            for row in range(first, min(first + window, rows)):
                xs, ys = x[row, lo : lo + width], y[row, lo : lo + width]
                _add(xs, ys, begun)
                _result(
                    xs, ys, ends[row - first + 1], begun, needed, what, out[row, lo : lo + width]
                )
    return out


@part
def _add(xs: Floats, ys: Floats, state: Floats) -> None:
    for c in range(len(xs)):
        x, y, mean_x, mean_y = xs[c], ys[c], state[TILE + c], state[2 * TILE + c]
        both = x == x and y == y
        count = state[c] + (1.0 if both else 0.0)
        share = 1.0 / (count if count > 1.0 else 1.0)
        dx, dy = (x - mean_x if both else 0.0), (y - mean_y if both else 0.0)
        mean_x += dx * share
        mean_y += dy * share
        rest_x, rest_y = (x - mean_x if both else 0.0), (y - mean_y if both else 0.0)
        state[c] = count
        state[TILE + c] = mean_x
        state[2 * TILE + c] = mean_y
        state[3 * TILE + c] += dx * rest_x
        state[4 * TILE + c] += dy * rest_y
        state[5 * TILE + c] += dx * rest_y


@part
def _result(
    xs: Floats, ys: Floats, end: Floats, begun: Floats, needed: int, what: int, out: Floats
) -> None:
    for c in range(len(out)):
        count = end[c] + begun[c]
        share = begun[c] / count
        dx = begun[TILE + c] - end[TILE + c]
        dy = begun[2 * TILE + c] - end[2 * TILE + c]
        weight = end[c] * share
        xx = end[3 * TILE + c] + begun[3 * TILE + c] + dx * dx * weight
        yy = end[4 * TILE + c] + begun[4 * TILE + c] + dy * dy * weight
        xy = end[5 * TILE + c] + begun[5 * TILE + c] + dx * dy * weight
        varies = yy > 0.0
        if what == COVARIANCE:
            result = xy / (count - 1.0)
            varies = True
        elif what == CORRELATION:
            result = xy / (np.sqrt(xx) * np.sqrt(yy))
            result = 1.0 if result > 1.0 else result
            result = -1.0 if result < -1.0 else result
            varies = varies and xx > 0.0
        elif what == BETA:
            result = xy / yy
        else:
            mean_x = end[TILE + c] + dx * share
            mean_y = end[2 * TILE + c] + dy * share
            result = (xs[c] - mean_x) - xy / yy * (ys[c] - mean_y)
        out[c] = result if (count >= needed and varies and abs(result) < np.inf) else np.nan
