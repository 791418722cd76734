"""Means and deviations of groups of columns, row by row.

Groups come as codes, -1 for a column that has none: one row of them for all, or one for each row.
"""

from __future__ import annotations

import numpy as np
from numba import types

from deriv_ops.kernels import CODES, FRAME, Codes, Floats, kernel


@kernel(FRAME, CODES, types.int64)
def means(x: Floats, codes: Codes, groups: int) -> Floats:
    """Return the mean of each group that has a value: rows x groups."""
    rows, columns = x.shape
    out = np.empty((rows, groups))
    count = np.empty(groups)
    for row in range(rows):
        code, values, total = codes[row % len(codes)], x[row], out[row]
        count[:] = 0.0
        total[:] = 0.0
        for c in range(columns):
            group, value = code[c], values[c]
            if group >= 0 and value == value:
                count[group] += 1.0
                total[group] += value
        for group in range(groups):
            total[group] /= count[group]
    return out


@kernel(FRAME, FRAME, CODES, types.int64)
def weighted_means(x: Floats, weights: Floats, codes: Codes, groups: int) -> Floats:
    """Return the weighted mean of each group, over the columns with a weight above 0."""
    rows, columns = x.shape
    out = np.empty((rows, groups))
    sum_of_weights = np.empty(groups)
    for row in range(rows):
        code, values, total = codes[row % len(codes)], x[row], out[row]
        sum_of_weights[:] = 0.0
        total[:] = 0.0
        for c in range(columns):
            group, value, weight = code[c], values[c], weights[row, c]
            if group >= 0 and value == value and weight > 0.0:
                sum_of_weights[group] += weight
                total[group] += weight * value
        for group in range(groups):
            total[group] /= sum_of_weights[group]
    return out


@kernel(FRAME, CODES, FRAME)
def spread(x: Floats, codes: Codes, of_groups: Floats) -> Floats:
    """Give the value of its group (rows x groups) to each column that has one and a value in x."""
    rows, columns = x.shape
    out = np.empty((rows, columns))
    for row in range(rows):
        code, values = codes[row % len(codes)], x[row]
        for c in range(columns):
            group, value = code[c], values[c]
            out[row, c] = of_groups[row, group] if (group >= 0 and value == value) else np.nan
    return out


@kernel(FRAME, CODES, types.int64)
def deviations(x: Floats, codes: Codes, groups: int) -> Floats:
    """Return each value less the mean of its group."""
    rows, columns = x.shape
    out = np.empty((rows, columns))
    count, mean = np.empty(groups + 1), np.empty(groups + 1)
    for row in range(rows):
        code, values, to = codes[row % len(codes)], x[row], out[row]
        count[:] = 0.0
        mean[:] = 0.0
        for c in range(columns):
            # A column without a group, code -1, adds to the place behind the last group.
            value, group = values[c], code[c]
            seen = value == value
            count[group] += 1.0 if seen else 0.0
            mean[group] += value if seen else 0.0
        for group in range(groups):
            mean[group] /= count[group]
        mean[groups] = np.nan
        for c in range(columns):
            to[c] = values[c] - mean[code[c]]
    return out


@kernel(FRAME, CODES, types.int64)
def zscores(x: Floats, codes: Codes, groups: int) -> Floats:
    """Return each value less the mean of its group, over the sample deviation of the group."""
    rows, columns = x.shape
    out = np.empty((rows, columns))
    count, mean = np.empty(groups + 1), np.empty(groups + 1)
    squares, origin = np.empty(groups + 1), np.empty(groups + 1)
    for row in range(rows):
        code, values, to = codes[row % len(codes)], x[row], out[row]
        count[:] = 0.0
        mean[:] = 0.0
        squares[:] = 0.0
        # Sums are taken from a value of the group on: equal values then have no deviation at all.
        for c in range(columns):
            if values[c] == values[c]:
                origin[code[c]] = values[c]
        for c in range(columns):
            group, delta = code[c], values[c] - origin[code[c]]
            seen = delta == delta
            count[group] += 1.0 if seen else 0.0
            mean[group] += delta if seen else 0.0
        for group in range(groups):
            mean[group] /= count[group]
        for c in range(columns):
            group = code[c]
            to[c] = (values[c] - origin[group]) - mean[group]
            squares[group] += to[c] * to[c] if to[c] == to[c] else 0.0
        for group in range(groups):
            spreads = squares[group] > 0.0
            squares[group] = np.sqrt(squares[group] / (count[group] - 1.0)) if spreads else np.nan
        squares[groups] = np.nan
        for c in range(columns):
            to[c] /= squares[code[c]]
    return out
