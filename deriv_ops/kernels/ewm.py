"""Exponentially weighted moments, by the recursions of pandas (adjust=True, ignore_na=False).

A value's weight is by its age in rows, so that a missing row keeps its place; what was last
computed is held over it. Infinite values are taken for missing ones. Means are computed as pandas
does, to the last bit; the recursions of variances and correlations are written with fewer
divisions.
"""

from __future__ import annotations

import numpy as np
from numba import types

from deriv_ops.kernels import FRAME, Floats, kernel, part


@kernel(FRAME, types.float64, types.int64)
def mean(x: Floats, alpha: float, needed: int) -> Floats:
    """Return the weighted mean of the values so far, where there are `needed` of them."""
    rows, columns = x.shape
    out = np.empty((rows, columns))
    count, average, weight = np.zeros(columns), np.zeros(columns), np.zeros(columns)
    for row in range(rows):
        _mean_row(x[row], alpha, max(needed, 1), count, average, weight, out[row])
    return out


@part
def _mean_row(
    values: Floats,
    alpha: float,
    needed: int,
    count: Floats,
    average: Floats,
    weight: Floats,
    out: Floats,
) -> None:
    for c in range(len(values)):
        value, old, before = values[c], average[c], weight[c] * (1.0 - alpha)
        seen = abs(value) < np.inf
        one = 1.0 if seen else 0.0
        # The same value again leaves the mean exactly as it is.
        moved = (before * old + value) / (before + 1.0) if (seen and value != old) else old
        n = count[c] + one
        count[c], average[c], weight[c] = n, moved, before + one
        out[c] = moved if (n >= needed and abs(moved) < np.inf) else np.nan


@kernel(FRAME, types.float64, types.int64, types.boolean)
def variance(x: Floats, alpha: float, needed: int, root: bool) -> Floats:
    """Return the unbiased weighted variance, or its root, of the values so far."""
    rows, columns = x.shape
    out = np.empty((rows, columns))
    count, average, spread = np.zeros(columns), np.zeros(columns), np.zeros(columns)
    weight, squared = np.zeros(columns), np.zeros(columns)
    for row in range(rows):
        values, to = x[row], out[row]
        _variance_row(values, alpha, needed, root, count, average, spread, weight, squared, to)
    return out


@part
def _variance_row(
    values: Floats,
    alpha: float,
    needed: int,
    root: bool,
    count: Floats,
    average: Floats,
    spread: Floats,
    weight: Floats,
    squared: Floats,
    out: Floats,
) -> None:
    decay = 1.0 - alpha
    for c in range(len(values)):
        value, old, first = values[c], average[c], count[c] == 0.0
        seen = abs(value) < np.inf
        one = 1.0 if seen else 0.0
        before, squares = weight[c] * decay, squared[c] * (decay * decay)
        # One division serves both: of mean m and variance v with weight w, a value a step d away
        # makes m + d/(w + 1) and w/(w + 1) (v + d²/(w + 1)); of a constant exactly itself and 0.
        inverse, step = 1.0 / (before + 1.0), value - old
        moved = old + step * inverse
        fresh = 0.0 if first else before * inverse * (spread[c] + step * step * inverse)
        n, cov = count[c] + one, fresh if seen else spread[c]
        before, squares = before + one, squares + one
        count[c], average[c], spread[c] = n, moved if seen else old, cov
        weight[c], squared[c] = before, squares
        numerator = before * before
        denominator = numerator - squares
        result = numerator / denominator * cov
        result = np.sqrt(result) if root else result
        known = n >= needed and denominator > 0.0 and result < np.inf
        out[c] = result if known else np.nan


@kernel(FRAME, FRAME, types.float64, types.int64)
def correlation(x: Floats, y: Floats, alpha: float, needed: int) -> Floats:
    """Return the weighted correlation of the rows so far in which both are there."""
    rows, columns = x.shape
    out = np.empty((rows, columns))
    count, weight = np.zeros(columns), np.zeros(columns)
    means, spreads = np.zeros((2, columns)), np.zeros((3, columns))
    for row in range(rows):
        _correlation_row(
            x[row], y[row], alpha, needed, count, weight,
            means[0], means[1], spreads[0], spreads[1], spreads[2], out[row],
        )  # fmt: skip
    return out


@part
def _correlation_row(
    xs: Floats,
    ys: Floats,
    alpha: float,
    needed: int,
    count: Floats,
    weight: Floats,
    mean_x: Floats,
    mean_y: Floats,
    xx: Floats,
    yy: Floats,
    xy: Floats,
    out: Floats,
) -> None:
    decay = 1.0 - alpha
    for c in range(len(xs)):
        x, y, first = xs[c], ys[c], count[c] == 0.0
        seen = (abs(x) < np.inf) & (abs(y) < np.inf)
        before = weight[c] * decay
        # As for the variance.
        inverse = 1.0 / (before + 1.0)
        kept, dx, dy = before * inverse, x - mean_x[c], y - mean_y[c]
        new_xx = 0.0 if first else kept * (xx[c] + dx * dx * inverse)
        new_yy = 0.0 if first else kept * (yy[c] + dy * dy * inverse)
        new_xy = 0.0 if first else kept * (xy[c] + dx * dy * inverse)
        mean_x[c] = mean_x[c] + dx * inverse if seen else mean_x[c]
        mean_y[c] = mean_y[c] + dy * inverse if seen else mean_y[c]
        xx[c] = new_xx if seen else xx[c]
        yy[c] = new_yy if seen else yy[c]
        xy[c] = new_xy if seen else xy[c]
        n = count[c] + (1.0 if seen else 0.0)
        count[c], weight[c] = n, before + (1.0 if seen else 0.0)
        rho = xy[c] / np.sqrt(xx[c] * yy[c])
        rho = 1.0 if rho > 1.0 else rho
        rho = -1.0 if rho < -1.0 else rho
        out[c] = rho if (n >= needed) & (xx[c] > 0.0) & (yy[c] > 0.0) else np.nan
