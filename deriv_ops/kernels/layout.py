"""From rows to columns and back: files are by column, kernels by row.

Squares of a few values are moved at a time, a cache line from each side, and turned within the
processor's registers: a compiler that is given two loops writes or reads values one by one, which
takes three times as long. So many columns are at work at a time that a few pages of memory are, on
either side, and stay in a core's own cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from deriv_ops.kernels import FRAME, Floats, kernel

SIDE = 8
BLOCK = 32

_SINGLES = types.Array(types.float32, 2, "C", readonly=True)
_TYPES: dict[np.dtype[Any], tuple[Any, Any]] = {
    np.dtype("float64"): (FRAME, types.Array(types.float64, 2, "C")),
    np.dtype("float32"): (_SINGLES, types.Array(types.float32, 2, "C")),
}


def _turning(_, source, at, width, target, to, length):  # type: ignore[no-untyped-def]
    """Make code that copies a square of SIDE x SIDE values, its rows as columns.

    It begins with value number `at` of `source`, which has `width` values a row, and is written
    from value number `to` of `target` on, which has `length` a row.
    """

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        source, at, width, target, to, length = arguments
        kind = context.get_data_type(signature.args[0].dtype)
        row = ir.VectorType(kind, SIDE)

        def places(number, array, first, step):  # type: ignore[no-untyped-def]
            data = context.make_array(signature.args[number])(context, builder, array).data
            for i in range(SIDE):
                offset = builder.add(first, builder.mul(step, first.type(i)))
                yield builder.bitcast(builder.gep(data, [offset]), row.as_pointer())

        # Where a row's end is in the next cache line, that one is waited for alone, unless it has
        # been asked for: a square took 2 to 6 times as long.
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kinds = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], kinds)
        to_write, to_keep, data_cache = number(1), number(3), number(1)
        for place in places(3, target, builder.add(to, to.type(SIDE - 1)), length):
            end = builder.bitcast(place, byte)
            builder.call(prefetch, [end, to_write, to_keep, data_cache])
        align = signature.args[0].dtype.bitwidth // 8
        rows = [builder.load(place, align=align) for place in places(0, source, at, width)]
        # In each round the squares of `half` x `half` off the diagonal change their places, within
        # squares of twice that side. Places of a second row are counted on from the first one's.
        half = 1
        while half < SIDE:
            upper = [k if not k & half else k - half + SIDE for k in range(SIDE)]
            lower = [k + half if not k & half else k + SIDE for k in range(SIDE)]
            masks = [ir.VectorType(number, SIDE)(mask) for mask in (upper, lower)]
            for i in range(SIDE):
                if not i & half:
                    pair = rows[i], rows[i + half]
                    rows[i], rows[i + half] = (builder.shuffle_vector(*pair, m) for m in masks)
            half *= 2
        for vector, place in zip(rows, places(3, target, to, length), strict=True):
            builder.store(vector, place, align=align)
        return context.get_dummy_value()

    integer = types.intp
    return types.void(source, integer, integer, target, integer, integer), generate


_turn: Callable[..., None] = intrinsic(_turning)


@kernel(FRAME)
def transposed(x: Floats) -> Floats:
    """Return a copy with the columns as rows."""
    rows, columns = x.shape
    out = np.empty((columns, rows))
    bottom, right = rows - rows % SIDE, columns - columns % SIDE
    for begin in range(0, right, BLOCK):
        for top in range(0, bottom, SIDE):
            for left in range(begin, min(begin + BLOCK, right), SIDE):
                _turn(x, top * columns + left, columns, out, left * rows + top, rows)
    for column in range(columns):
        for row in range(bottom if column < right else 0, rows):
            out[column, row] = x[row, column]
    return out


def _to_columns(frame: NDArray[Any], first: int, out: NDArray[Any], skip: int) -> None:
    """Write columns of a frame, from the first on, as rows: ``out[j, skip:] = frame[:, first+j]``.

    There are as many as `out` has rows.
    """
    rows, width = frame.shape
    count, length = out.shape
    bottom, right = rows - rows % SIDE, count - count % SIDE
    for top in range(0, bottom, SIDE):
        for left in range(0, right, SIDE):
            at, to = top * width + first + left, left * length + skip + top
            _turn(frame, at, width, out, to, length)
    for column in range(count):
        for row in range(bottom if column < right else 0, rows):
            out[column, skip + row] = frame[row, first + column]


def _to_rows(columns: NDArray[Any], skip: int, out: NDArray[Any], first: int) -> None:
    """Write rows as columns of a frame, from the first on: ``out[:, first+j] = columns[j, skip:]``.

    All of them are written.
    """
    rows, width = out.shape
    count, length = columns.shape
    bottom, right = rows - rows % SIDE, count - count % SIDE
    for top in range(0, bottom, SIDE):
        for left in range(0, right, SIDE):
            at, to = left * length + skip + top, top * width + first + left
            _turn(columns, at, length, out, to, width)
    for column in range(count):
        for row in range(bottom if column < right else 0, rows):
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
