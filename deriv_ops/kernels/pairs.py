"""Covariance of two frames over trailing windows, share by share, and what is made of it.

Built up as in `windows`, from the rows in which both frames have a value.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import types

from deriv_ops.kernels import FRAME, Floats, kernel, part
from deriv_ops.kernels.windows import TILE, state_of, states_of

COVARIANCE, CORRELATION, BETA, RESIDUAL = range(4)

# How many numbers a state has: the count, the means of x and y, the sum of the products of their
# deviations, and where they are needed the sums of the squares of those of y and of x.
NUMBERS = {COVARIANCE: 4, CORRELATION: 6, BETA: 5, RESIDUAL: 5}

Comoment = Callable[[Floats, Floats, int, int], Floats]


def _comoments(name: str, what: int) -> Comoment:
    """Return the kernel of a joint moment, with nothing in it that only the others need."""
    numbers = NUMBERS[what]

    @kernel(FRAME, FRAME, types.int64, types.int64, name=name)
    def comoments(x: Floats, y: Floats, window: int, needed: int) -> Floats:
        """Return a joint moment of each window with at least `needed` rows that have both."""
        rows, columns = x.shape
        out = np.empty((rows, columns))
        block = max(min(window, rows), 1)
        ends, begun = states_of(x, block, numbers), np.empty(numbers * TILE)
        tile = ends[3]
        for lo in range(0, columns, tile):
            width = min(tile, columns - lo)
            ends[0][:] = 0.0
            for first in range(0, rows, block):
                if first:
                    for at in range(block - 1, 0, -1):
                        row = first - block + at
                        xs, ys = x[row, lo : lo + width], y[row, lo : lo + width]
                        _added(xs, ys, numbers, state_of(ends, at + 1), state_of(ends, at))
                begun[:] = 0.0
                for row in range(first, min(first + block, rows)):
                    xs, ys = x[row, lo : lo + width], y[row, lo : lo + width]
                    _add(xs, ys, numbers, begun)
                    end, to = state_of(ends, row - first + 1), out[row, lo : lo + width]
                    _result(xs, ys, end, begun, needed, what, to)
        return out

    return comoments


@part
def _with(x: float, y: float, numbers: int, state: Floats, c: int) -> tuple[float, ...]:
    """Return the numbers of a state and one more pair; those that it doesn't have are 0."""
    mean_x, mean_y = state[TILE + c], state[2 * TILE + c]
    both = abs(x) < np.inf and abs(y) < np.inf
    count = state[c] + (1.0 if both else 0.0)
    share = 1.0 / (count if count > 1.0 else 1.0)
    dx, dy = (x - mean_x if both else 0.0), (y - mean_y if both else 0.0)
    mean_x += dx * share
    mean_y += dy * share
    rest_x, rest_y = (x - mean_x if both else 0.0), (y - mean_y if both else 0.0)
    xy = state[3 * TILE + c] + dx * rest_y
    yy = state[4 * TILE + c] + dy * rest_y if numbers > 4 else 0.0
    xx = state[5 * TILE + c] + dx * rest_x if numbers > 5 else 0.0
    return count, mean_x, mean_y, xy, yy, xx


@part
def _add(xs: Floats, ys: Floats, numbers: int, state: Floats) -> None:
    for c in range(len(xs)):
        count, mean_x, mean_y, xy, yy, xx = _with(xs[c], ys[c], numbers, state, c)
        state[c], state[TILE + c], state[2 * TILE + c] = count, mean_x, mean_y
        state[3 * TILE + c] = xy
        if numbers > 4:
            state[4 * TILE + c] = yy
        if numbers > 5:
            state[5 * TILE + c] = xx


@part
def _added(xs: Floats, ys: Floats, numbers: int, state: Floats, to: Floats) -> None:
    for c in range(len(xs)):
        count, mean_x, mean_y, xy, yy, xx = _with(xs[c], ys[c], numbers, state, c)
        to[c], to[TILE + c], to[2 * TILE + c] = count, mean_x, mean_y
        to[3 * TILE + c] = xy
        if numbers > 4:
            to[4 * TILE + c] = yy
        if numbers > 5:
            to[5 * TILE + c] = xx


@part
def _result(
    xs: Floats, ys: Floats, end: Floats, begun: Floats, needed: int, what: int, out: Floats
) -> None:
    """Merge the states of two blocks.

    BETA is the slope of the regression of x on y, RESIDUAL the row's own x less the fitted one.
    """
    for c in range(len(out)):
        count = end[c] + begun[c]
        share = begun[c] / count
        dx = begun[TILE + c] - end[TILE + c]
        dy = begun[2 * TILE + c] - end[2 * TILE + c]
        weight = end[c] * share
        xy = end[3 * TILE + c] + begun[3 * TILE + c] + dx * dy * weight
        if what == COVARIANCE:
            varies, result = True, xy / (count - 1.0)
        else:
            yy = end[4 * TILE + c] + begun[4 * TILE + c] + dy * dy * weight
            varies = yy > 0.0
            if what == CORRELATION:
                xx = end[5 * TILE + c] + begun[5 * TILE + c] + dx * dx * weight
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


covariances = _comoments("covariances", COVARIANCE)
correlations = _comoments("correlations", CORRELATION)
betas = _comoments("betas", BETA)
residuals = _comoments("residuals", RESIDUAL)
