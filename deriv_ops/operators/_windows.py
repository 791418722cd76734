"""Moments over trailing windows, computed in two passes so that they are exact.

Each window is centred on a value of its own before anything is summed: nothing is carried from
one window to the next, so one huge value spoils only the windows that hold it, and a constant
window has a deviation of exactly zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]


class Moments(NamedTuple):
    """Per row and share: how many values are observed, their mean and sample standard deviation."""

    observed: Floats
    mean: Floats
    std: Floats


def moments(values: Floats, window: int | None) -> Moments:
    """Moments of the observations in the trailing `window` rows (all history when None).

    `values` is (rows, shares) with NaN where there is no observation. `mean` is NaN without an
    observation, `std` with fewer than two.
    """
    return _expanding(values) if window is None else _trailing(values, window)


def windows(values: Floats, window: int) -> Iterator[Floats]:
    """Yield for each row the up to `window` rows that end with it."""
    for row in range(len(values)):
        yield values[max(0, row + 1 - window) : row + 1]


def centred(window: Floats) -> tuple[Floats, Floats, Floats]:
    """Return count, mean and deviations from the mean (0 where missing) of one window."""
    present = ~np.isnan(window)
    count = present.sum(axis=0).astype("float64")
    origin = np.fmin.reduce(window, axis=0)
    shifted = np.where(present, window - origin, 0.0)
    mean = shifted.sum(axis=0) / count
    return count, origin + mean, np.where(present, shifted - mean, 0.0)


def _trailing(values: Floats, window: int) -> Moments:
    result = Moments(*(np.empty_like(values) for _ in range(3)))
    with np.errstate(invalid="ignore", divide="ignore"):
        for row, held in enumerate(windows(values, window)):
            count, mean, deviation = centred(held)
            result.observed[row] = count
            result.mean[row] = mean
            result.std[row] = _sample_std((deviation * deviation).sum(axis=0), count)
    return result


def _expanding(values: Floats) -> Moments:
    # Welford (1962), doi:10.1080/00401706.1962.10490022: one row at a time, all shares at once.
    result = Moments(*(np.empty_like(values) for _ in range(3)))
    count, mean, squares = (np.zeros(values.shape[1]) for _ in range(3))
    with np.errstate(invalid="ignore", divide="ignore"):
        for row, observed in enumerate(values):
            present = ~np.isnan(observed)
            count += present
            delta = np.where(present, observed - mean, 0.0)
            mean += delta / np.maximum(count, 1.0)
            squares += np.where(present, delta * (observed - mean), 0.0)
            result.observed[row] = count
            result.mean[row] = np.where(count > 0, mean, np.nan)
            result.std[row] = _sample_std(squares, count)
    return result


def _sample_std(squares: Floats, count: Floats) -> Floats:
    return np.where(count > 1, np.sqrt(squares / (count - 1)), np.nan)
