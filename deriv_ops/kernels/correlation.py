"""Correlations of all pairs of columns, each over the rows in which both have a value.

The sums that they take are products of matrices, for which the processor's fastest code is there.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numpy.typing import NDArray

from deriv_ops.kernels import FRAME, Floats, kernel, part
from deriv_ops.kernels.layout import transposed

PAIRS = types.Array(types.int64, 2, "C", readonly=True)

# What is left of the squares of a pair that is less than this part of them may be rounding only.
DOUBTFUL = 1e-9

# How many rows are summed side by side.
LANES = 16


class PairSums:
    """Sums over the rows that were added, for all pairs of columns.

    Values are taken from the first one of each column on, so that what is summed is small where
    columns vary little about a high level. Memory: four matrices of columns x columns.
    """

    def __init__(self, x: Floats) -> None:
        present = ~np.isnan(x)
        first = x[present.argmax(axis=0), np.arange(x.shape[1])] if len(x) else np.empty(x.shape[1])
        self.x = x
        self.origin = np.where(np.isnan(first), 0.0, first)
        self.rows = range(0)
        self._clear(x.shape[1])

    def _clear(self, columns: int) -> None:
        # For columns i and j: how many rows have both, the sum of i over them and that of its
        # squares, and the sum of the products.
        self.count, self.sums, self.squares, self.products = np.zeros((4, columns, columns))

    def take(self, first: int, until: int) -> None:
        """Make the sums those of the rows from `first` until before `until`."""
        if first != self.rows.start:
            self.rows = range(first, first)
            self._clear(self.x.shape[1])
        rows = self.x[self.rows.stop : until]
        present = ~np.isnan(rows)
        values = np.where(present, rows - self.origin, 0.0)
        there = present.astype(np.float64)
        self.count += there.T @ there
        self.sums += values.T @ there
        self.squares += (values * values).T @ there
        self.products += values.T @ values
        self.rows = range(first, until)

    def correlations(self, needed: int) -> Floats:
        """Return the correlations; 0 with fewer than `needed` rows in common, or of a constant."""
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = self.squares - self.sums * self.sums / self.count
            product = self.products - self.sums * self.sums.T / self.count
            rho = product / (np.sqrt(spread) * np.sqrt(spread.T))
        doubtful = (spread <= DOUBTFUL * self.squares) & (self.count >= max(needed, 2))
        rows = self.x[self.rows.start : self.rows.stop]
        # What is equal in all rows is so in those in common with another: no pair is looked at.
        constant = doubtful.diagonal().copy()
        constant[constant] = _constant(rows[:, constant])
        doubtful[constant] = doubtful[:, constant] = False
        rho[constant] = rho[:, constant] = 0.0
        pairs = np.ascontiguousarray(np.argwhere(np.triu(doubtful | doubtful.T, 1)))
        if len(pairs):
            exact = _of_pairs(transposed(rows), pairs)
            rho[pairs[:, 0], pairs[:, 1]] = rho[pairs[:, 1], pairs[:, 0]] = exact
        rho[(self.count < max(needed, 2)) | np.isnan(rho)] = 0.0
        clipped: Floats = rho.clip(-1.0, 1.0)
        return clipped


def _constant(x: Floats) -> NDArray[np.bool_]:
    """Return for each column whether the values that are there are all equal."""
    least, largest = np.fmin.reduce(x, initial=np.inf), np.fmax.reduce(x, initial=-np.inf)
    equal: NDArray[np.bool_] = least >= largest
    return equal


@kernel(FRAME, PAIRS)
def _of_pairs(x: Floats, pairs: NDArray[np.int64]) -> Floats:
    """Return the correlation of each pair of rows in two passes, NaN where one is constant."""
    out = np.empty(len(pairs))
    sums = np.empty((3, LANES))
    for at in range(len(pairs)):
        out[at] = _of_pair(x[pairs[at, 0]], x[pairs[at, 1]], sums)
    return out


@part
def _of_pair(x: Floats, y: Floats, sums: Floats) -> float:
    first = 0
    while first < len(x) and not (x[first] == x[first] and y[first] == y[first]):
        first += 1
    if first == len(x):
        return np.nan
    # Means are taken from the first values on: those of equal values are exact.
    origin_x, origin_y = x[first], y[first]
    _sum_of_rows(x, y, origin_x, origin_y, False, sums)
    count = sums[0].sum()
    mean_x, mean_y = origin_x + sums[1].sum() / count, origin_y + sums[2].sum() / count
    _sum_of_rows(x, y, mean_x, mean_y, True, sums)
    xx, yy, xy = sums[0].sum(), sums[1].sum(), sums[2].sum()
    return float(xy / (np.sqrt(xx) * np.sqrt(yy))) if (xx > 0.0 and yy > 0.0) else np.nan


@part
def _sum_of_rows(
    x: Floats, y: Floats, origin_x: float, origin_y: float, products: bool, sums: Floats
) -> None:
    """Sum the rows that have both: their number and values, or the products of these.

    Several sums side by side are several times as fast as one.
    """
    sums[:] = 0.0
    whole = len(x) - len(x) % LANES
    for start in range(0, whole, LANES):
        for lane in range(LANES):
            _sum_row(x[start + lane] - origin_x, y[start + lane] - origin_y, products, sums, lane)
    for row in range(whole, len(x)):
        _sum_row(x[row] - origin_x, y[row] - origin_y, products, sums, row - whole)


@part
def _sum_row(x: float, y: float, products: bool, sums: Floats, lane: int) -> None:
    both = x == x and y == y
    x, y, one = x if both else 0.0, y if both else 0.0, 1.0 if both else 0.0
    sums[0, lane] += x * x if products else one
    sums[1, lane] += y * y if products else x
    sums[2, lane] += x * y if products else y
