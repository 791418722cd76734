"""The numerical kernels below the operators, compiled by numba.

A kernel takes frames as C-order arrays, rows x columns, NaN where a value is missing, and returns
new ones. It goes down the rows and does all columns of a row at once, so that the processor works
on many shares in one instruction; it lets go of the interpreter's lock; and what it computes for
one column doesn't depend on the others (unless the kernel is across columns), to the last bit.

What is compiled is kept in ``__pycache__`` beside the source and is loaded from there by every
later process. `deriv_ops.kernels.warm` does all of that at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from types import FunctionType
from typing import Any, TypeAlias, TypeVar, cast

import numba
import numpy as np
import pandas as pd
from numba import types
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.int32]

Function = TypeVar("Function", bound=Callable[..., Any])

# What kernels are given: arrays that belong to somebody else.
FRAME = types.Array(types.float64, 2, "C", readonly=True)
CODES = types.Array(types.int32, 2, "C", readonly=True)


class Kernel:
    """A compiled function. It is compiled once, for the declared types of its arguments.

    Without that, numba would compile it again for arrays that may be written to, such as what
    another kernel returns.
    """

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.arguments = arguments
        self.py_func = function
        self.compiled: Any = None
        update_wrapper(self, function)

    def warm(self) -> None:
        """Compile it now, or load what was compiled before."""
        compiled = _compiled(self.py_func, kept=True)
        compiled.compile(self.arguments)
        compiled.disable_compile()
        self.compiled = compiled

    def __call__(self, *arguments: Any) -> Any:
        """Call it."""
        if self.compiled is None:
            self.warm()
        return self.compiled(*arguments)


# Every kernel, in the order of their files.
KERNELS: list[Kernel] = []


def kernel(*arguments: Any, name: str | None = None) -> Callable[[Function], Function]:
    """Declare a kernel with the types of its arguments.

    Where one function makes several, each has a name of its own: what is compiled is kept by name,
    and numba may take one of the same name for another if two processes compile them at once.
    """

    def declare(function: Function) -> Function:
        made = Kernel(_renamed(function, name) if name else function, arguments)
        KERNELS.append(made)
        return cast(Function, made)

    return declare


def _renamed(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    renamed = FunctionType(
        function.__code__, function.__globals__, name, function.__defaults__, function.__closure__
    )
    renamed.__qualname__, renamed.__doc__ = name, function.__doc__
    return renamed


def part(function: Function) -> Function:
    """Compile a function that kernels use, into each of them."""
    # Kept on disk are the kernels, which hold it.
    return cast(Function, _compiled(function, kept=False))


def _compiled(function: Callable[..., Any], kept: bool) -> Any:
    # error_model: a division by zero gives what IEEE 754 says, and costs no check.
    return numba.njit(nogil=True, cache=kept, error_model="numpy")(function)


def values(x: pd.DataFrame) -> Floats:
    """Return the numbers of a frame as kernels take them, without a copy where that is possible."""
    array = np.ascontiguousarray(x.to_numpy(np.float64)).view()
    array.flags.writeable = False
    return array


def like(x: pd.DataFrame, array: Floats) -> pd.DataFrame:
    """Return an array as a frame with the dates and shares of another, without a copy."""
    return pd.DataFrame(array, index=x.index, columns=x.columns, copy=False)


def finite(array: Floats) -> Floats:
    """Return an array that nobody else holds, with what isn't finite in it made missing."""
    _mend(array)
    return array


@kernel(types.Array(types.float64, 2, "C"))
def _mend(array: Floats) -> None:
    for row in range(len(array)):
        _mend_row(array[row])


@part
def _mend_row(values: Floats) -> None:
    for c in range(len(values)):
        values[c] = values[c] if abs(values[c]) < np.inf else np.nan


@kernel(types.Array(types.float64, 1, "C", readonly=True))
def any_infinite(values: Floats) -> bool:
    """Whether one of the values is infinite."""
    found, first = 0, 0
    while not found and first < len(values):
        found = _count_infinite(values[first : first + 8192])
        first += 8192
    return found > 0


@part
def _count_infinite(values: Floats) -> int:
    count = 0
    for at in range(len(values)):
        count += abs(values[at]) == np.inf
    return count
