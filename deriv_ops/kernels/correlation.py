"""Correlations of all pairs of columns, each over the rows in which both have a value.

The sums that they take are products of matrices, for which the processor's fastest code is there.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numpy.typing import NDArray

from deriv_ops.kernels import FRAME, Floats, kernel

PAIRS = types.Array(types.int64, 2, "C", readonly=True)

# What is left of the squares of a pair that is less than this part of them may be rounding only.
DOUBTFUL = 1e-9


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
        enough = self.count >= max(needed, 2)
        doubtful = (spread <= DOUBTFUL * self.squares) & enough
        pairs = np.argwhere(np.triu(doubtful | doubtful.T, 1))
        rows = self.x[self.rows.start : self.rows.stop]
        exact = _of_pairs(rows, np.ascontiguousarray(pairs))
        rho[pairs[:, 0], pairs[:, 1]] = rho[pairs[:, 1], pairs[:, 0]] = exact
        rho[~enough | np.isnan(rho)] = 0.0
        clipped: Floats = rho.clip(-1.0, 1.0)
        return clipped


@kernel(FRAME, PAIRS)
def _of_pairs(x: Floats, pairs: NDArray[np.int64]) -> Floats:
    """Return the correlation of each pair in two passes, NaN where one is constant."""
    out = np.empty(len(pairs))
    for at in range(len(pairs)):
        i, j = pairs[at]
        count, mean_i, mean_j = 0, 0.0, 0.0
        for row in range(len(x)):
            if x[row, i] == x[row, i] and x[row, j] == x[row, j]:
                count += 1
                mean_i += (x[row, i] - mean_i) / count
                mean_j += (x[row, j] - mean_j) / count
        ii, jj, ij = 0.0, 0.0, 0.0
        for row in range(len(x)):
            di, dj = x[row, i] - mean_i, x[row, j] - mean_j
            if di == di and dj == dj:
                ii += di * di
                jj += dj * dj
                ij += di * dj
        out[at] = ij / (np.sqrt(ii) * np.sqrt(jj)) if (ii > 0.0 and jj > 0.0) else np.nan
    return out
