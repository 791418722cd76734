"""The latest observation of each column at given days."""

from __future__ import annotations

import numpy as np
from numba import types
from numpy.typing import NDArray

from deriv_ops.kernels import FRAME, Floats, kernel, part

# Made for the kernel, so that they may be written to; it does not.
DAYS = types.Array(types.int64, 1, "C")


@kernel(FRAME, DAYS, DAYS, types.int64, types.float64)
def latest(
    x: Floats, dated: NDArray[np.int64], days: NDArray[np.int64], delay: int, max_age: float
) -> Floats:
    """Return, for each of `days`, the latest value dated `delay` before it or earlier.

    Missing where that is older than `max_age`. Both lists of days ascend; a day is any whole
    number: the number of the row does as well.
    """
    rows, columns = len(days), x.shape[1]
    out = np.empty((rows, columns))
    value, day = np.full(columns, np.nan), np.zeros(columns)
    at = 0
    for row in range(rows):
        while at < len(x) and dated[at] <= days[row] - delay:
            _take(x[at], float(dated[at]), value, day)
            at += 1
        _give(value, day, days[row] - max_age, out[row])
    return out


@part
def _take(values: Floats, today: float, value: Floats, day: Floats) -> None:
    for c in range(len(values)):
        seen = values[c] == values[c]
        value[c] = values[c] if seen else value[c]
        day[c] = today if seen else day[c]


@part
def _give(value: Floats, day: Floats, oldest: float, out: Floats) -> None:
    for c in range(len(out)):
        out[c] = value[c] if day[c] >= oldest else np.nan
