"""From rows to columns and back: files are by column, kernels by row.

Squares of a few values are moved at a time, a cache line from each side, and always along the rows
of the frame, so that few pages of memory are at work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from deriv_ops.kernels import FRAME, Floats, kernel

SIDE = 8

_SINGLES = types.Array(types.float32, 2, "C", readonly=True)
_TYPES: dict[np.dtype[Any], tuple[Any, Any]] = {
    np.dtype("float64"): (FRAME, types.Array(types.float64, 2, "C")),
    np.dtype("float32"): (_SINGLES, types.Array(types.float32, 2, "C")),
}


@kernel(FRAME)
def transposed(x: Floats) -> Floats:
    """Return a copy with the columns as rows."""
    rows, columns = x.shape
    out = np.empty((columns, rows))
    for top in range(0, rows, SIDE):
        bottom = min(top + SIDE, rows)
        for left in range(0, columns, SIDE):
            right = min(left + SIDE, columns)
            for column in range(left, right):
                for row in range(top, bottom):
                    out[column, row] = x[row, column]
    return out


def _to_columns(frame: NDArray[Any], first: int, out: NDArray[Any], skip: int) -> None:
    """Write columns of a frame, from the first on, as rows: ``out[j, skip:] = frame[:, first+j]``.

    There are as many as `out` has rows.
    """
    rows, count = frame.shape[0], out.shape[0]
    for top in range(0, rows, SIDE):
        bottom = min(top + SIDE, rows)
        for left in range(0, count, SIDE):
            right = min(left + SIDE, count)
            for column in range(left, right):
                for row in range(top, bottom):
                    out[column, skip + row] = frame[row, first + column]


def _to_rows(columns: NDArray[Any], skip: int, out: NDArray[Any], first: int) -> None:
    """Write rows as columns of a frame, from the first on: ``out[:, first+j] = columns[j, skip:]``.

    All of them are written.
    """
    rows, count = out.shape[0], columns.shape[0]
    for top in range(0, rows, SIDE):
        bottom = min(top + SIDE, rows)
        for left in range(0, count, SIDE):
            right = min(left + SIDE, count)
            for row in range(top, bottom):
                for column in range(left, right):
                    out[row, first + column] = columns[column, skip + row]


Copy = Callable[[NDArray[Any], int, NDArray[Any], int], None]
# By the type of the numbers.
to_columns: dict[np.dtype[Any], Copy] = {
    dtype: kernel(given, types.intp, made, types.intp, name=f"to_columns_{dtype}")(_to_columns)
    for dtype, (given, made) in _TYPES.items()
}
to_rows: dict[np.dtype[Any], Copy] = {
    dtype: kernel(given, types.intp, made, types.intp, name=f"to_rows_{dtype}")(_to_rows)
    for dtype, (given, made) in _TYPES.items()
}
