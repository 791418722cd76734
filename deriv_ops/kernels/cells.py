"""Arithmetic cell by cell, missing where the result isn't finite."""

from __future__ import annotations

import numpy as np
from numba import types

from deriv_ops.kernels import FRAME, Floats, kernel, part

SUM, DIFFERENCE, PRODUCT, RATIO = range(4)

# How many columns are averaged at a time.
TILE = 512


@kernel(FRAME, FRAME, types.int64)
def combined(x: Floats, y: Floats, what: int) -> Floats:
    """Return what two frames give."""
    out = np.empty(x.shape)
    for row in range(len(x)):
        _combine(x[row], y[row], what, out[row])
    return out


@part
def _combine(xs: Floats, ys: Floats, what: int, out: Floats) -> None:
    for c in range(len(out)):
        if what == SUM:
            result = xs[c] + ys[c]
        elif what == DIFFERENCE:
            result = xs[c] - ys[c]
        elif what == PRODUCT:
            result = xs[c] * ys[c]
        else:
            result = xs[c] / ys[c]
        out[c] = result if abs(result) < np.inf else np.nan


@kernel(FRAME, types.float64, types.float64)
def scaled(x: Floats, factor: float, offset: float) -> Floats:
    """Return a frame times a factor, plus an offset."""
    out = np.empty(x.shape)
    for row in range(len(x)):
        _scale(x[row], factor, offset, out[row])
    return out


@part
def _scale(values: Floats, factor: float, offset: float, out: Floats) -> None:
    for c in range(len(out)):
        result = factor * values[c] + offset
        out[c] = result if abs(result) < np.inf else np.nan


@kernel(types.Array(types.float64, 3, "C", readonly=True))
def averages(frames: Floats) -> Floats:
    """Return the mean of what is there in several frames, of equal values exactly theirs."""
    _, rows, columns = frames.shape
    out = np.empty((rows, columns))
    # How many values are there, the first one, and by how much all are more than that.
    state = np.empty(3 * TILE)
    for row in range(rows):
        for lo in range(0, columns, TILE):
            state[:] = 0.0
            for frame in range(len(frames)):
                _add(frames[frame, row, lo : lo + TILE], state)
            _average(state, out[row, lo : lo + TILE])
    return out


@part
def _add(values: Floats, state: Floats) -> None:
    for c in range(len(values)):
        value, count, first = values[c], state[c], state[TILE + c]
        seen = value == value
        first = value if (seen and count == 0.0) else first
        state[c] = count + (1.0 if seen else 0.0)
        state[TILE + c] = first
        state[2 * TILE + c] += value - first if seen else 0.0


@part
def _average(state: Floats, out: Floats) -> None:
    for c in range(len(out)):
        mean = state[TILE + c] + state[2 * TILE + c] / state[c]
        out[c] = mean if abs(mean) < np.inf else np.nan
