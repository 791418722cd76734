"""What a regression across columns leaves, row by row."""

from __future__ import annotations

import numpy as np
from numba import types
from numpy.typing import NDArray

from deriv_ops.kernels import FRAME, Floats, kernel, part

EXPOSURES = types.Array(types.float64, 3, "C", readonly=True)
# Below this, a column of length 1 is told by others, or by its mean, but for rounding.
NOTHING = 1e-11
TINY = np.finfo(np.float64).tiny


@kernel(FRAME, EXPOSURES)
def residuals(x: Floats, exposures: Floats) -> Floats:
    """Return what remains of each row after its projection on exposures and an intercept.

    `exposures` are exposures x rows x columns. The basis is made by Gram and Schmidt's method, the
    longest of what is left first, and orthogonal to the last bits by doing each projection twice.
    """
    count, rows, columns = exposures.shape
    out = np.full((rows, columns), np.nan)
    design, target = np.empty((count, columns)), np.empty(columns)
    places = np.empty(columns, np.int64)
    for row in range(rows):
        size = 0
        for c in range(columns):
            there = x[row, c] == x[row, c]
            for e in range(count):
                there = there and exposures[e, row, c] == exposures[e, row, c]
            if there:
                places[size] = c
                size += 1
        if size <= count + 1:
            continue
        used = places[:size]
        for e in range(count):
            _take(exposures[e, row], used, design[e])
            length = np.sqrt(_dot(design[e, :size], design[e, :size]))
            # What is constant is the intercept once more.
            varies = length > 1e-12 * np.sqrt(size)
            design[e, :size] *= 1.0 / length if varies else 0.0
        scale = _take(x[row], used, target)
        residual = target[:size]
        basis = _orthogonalize(design[:, :size])
        for _ in range(2):
            for e in range(basis):
                _reduce(residual, design[e, :size])
        residual -= residual.mean()
        for at in range(size):
            out[row, used[at]] = residual[at] * scale
    return out


@part
def _take(values: Floats, places: NDArray[np.int64], to: Floats) -> float:
    """Copy the values at some places less their mean, over the largest of them; return that.

    So each exposure counts alike, whatever its unit, and none is too large to be squared.
    """
    scale = TINY
    for at in range(len(places)):
        scale = max(scale, abs(values[places[at]]))
    mean = 0.0
    for at in range(len(places)):
        to[at] = values[places[at]] / scale
        mean += to[at]
    mean /= len(places)
    for at in range(len(places)):
        to[at] -= mean
    return scale


@part
def _orthogonalize(design: Floats) -> int:
    """Make the first rows an orthonormal basis of all of them; return how many those are."""
    lengths = np.empty(len(design))
    for first in range(len(design)):
        for e in range(first, len(design)):
            lengths[e] = _dot(design[e], design[e])
        longest = first + np.argmax(lengths[first:])
        if lengths[longest] <= NOTHING * NOTHING:
            return first
        for at in range(design.shape[1]):
            chosen = design[longest, at]
            design[longest, at] = design[first, at]
            design[first, at] = chosen
        for e in range(first):
            _reduce(design[first], design[e])
        design[first] /= np.sqrt(_dot(design[first], design[first]))
        for e in range(first + 1, len(design)):
            _reduce(design[e], design[first])
    return len(design)


@part
def _reduce(values: Floats, by: Floats) -> None:
    """Take the projection on a vector of length 1 out of the values."""
    share = _dot(values, by)
    for at in range(len(values)):
        values[at] -= share * by[at]


@part
def _dot(x: Floats, y: Floats) -> float:
    """Return the sum of products, in four sums side by side: faster, and nearer to exact."""
    sums = np.zeros(4)
    whole = len(x) - len(x) % 4
    for at in range(0, whole, 4):
        for k in range(4):
            sums[k] += x[at + k] * y[at + k]
    for at in range(whole, len(x)):
        sums[0] += x[at] * y[at]
    return float((sums[0] + sums[1]) + (sums[2] + sums[3]))
