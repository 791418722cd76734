"""Skewness and kurtosis over trailing windows.

Built up as in `windows`, with the sums of the third and fourth powers (Pebay 2008, SAND2008-6212).
"""

from __future__ import annotations

import numpy as np
from numba import types

from deriv_ops.kernels import FRAME, Floats, kernel, part
from deriv_ops.kernels.windows import TILE, state_of, states_of

SKEWNESS, KURTOSIS = range(2)

# In a state: the count, the mean, and the sums of the second, third and fourth powers of the
# deviations.
NUMBERS = 5


@kernel(FRAME, types.int64, types.int64, types.int64)
def shapes(x: Floats, window: int, needed: int, what: int) -> Floats:
    """Return the sample skewness or excess kurtosis of each window with `needed` values."""
    rows, columns = x.shape
    out = np.empty((rows, columns))
    block = max(min(window, rows), 1)
    ends, begun = states_of(x, block, NUMBERS), np.empty(NUMBERS * TILE)
    tile = ends[3]
    for lo in range(0, columns, tile):
        width = min(tile, columns - lo)
        ends[0][:] = 0.0
        for first in range(0, rows, block):
            if first:
                for at in range(block - 1, 0, -1):
                    values = x[first - block + at, lo : lo + width]
                    _added(values, state_of(ends, at + 1), state_of(ends, at))
            begun[:] = 0.0
            for row in range(first, min(first + block, rows)):
                _add(x[row, lo : lo + width], begun)
                end, to = state_of(ends, row - first + 1), out[row, lo : lo + width]
                _shape(end, begun, needed, what, to)
    return out


@part
def _with(value: float, state: Floats, c: int) -> tuple[float, ...]:
    """Return the numbers of a state and one more value."""
    before, mean = state[c], state[TILE + c]
    second, third, fourth = state[2 * TILE + c], state[3 * TILE + c], state[4 * TILE + c]
    seen = value == value
    count = before + (1.0 if seen else 0.0)
    delta = value - mean if seen else 0.0
    step = delta / (count if count > 1.0 else 1.0)
    squared = step * step
    spread = delta * step * before
    fourth += spread * squared * (count * count - 3.0 * count + 3.0)
    fourth += 6.0 * squared * second - 4.0 * step * third
    third += spread * step * (count - 2.0) - 3.0 * step * second
    return count, mean + step, second + spread, third, fourth


@part
def _add(values: Floats, state: Floats) -> None:
    for c in range(len(values)):
        numbers = _with(values[c], state, c)
        state[c], state[TILE + c], state[2 * TILE + c] = numbers[:3]
        state[3 * TILE + c], state[4 * TILE + c] = numbers[3:]


@part
def _added(values: Floats, state: Floats, to: Floats) -> None:
    for c in range(len(values)):
        numbers = _with(values[c], state, c)
        to[c], to[TILE + c], to[2 * TILE + c] = numbers[:3]
        to[3 * TILE + c], to[4 * TILE + c] = numbers[3:]


@part
def _shape(end: Floats, begun: Floats, needed: int, what: int, out: Floats) -> None:
    for c in range(len(out)):
        a, b = end[c], begun[c]
        n = a + b
        delta = begun[TILE + c] - end[TILE + c]
        step = delta / n
        spread = delta * step * a * b
        second_a, second_b = end[2 * TILE + c], begun[2 * TILE + c]
        second = second_a + second_b + spread
        third_a, third_b = end[3 * TILE + c], begun[3 * TILE + c]
        if what == SKEWNESS:
            third = third_a + third_b + spread * step * (a - b)
            third += 3.0 * step * (a * second_b - b * second_a)
            result = n * np.sqrt(n - 1.0) / (n - 2.0) * (third / (second * np.sqrt(second)))
        else:
            fourth = end[4 * TILE + c] + begun[4 * TILE + c]
            fourth += spread * step * step * (a * a - a * b + b * b)
            fourth += 6.0 * step * step * (a * a * second_b + b * b * second_a)
            fourth += 4.0 * step * (a * third_b - b * third_a)
            scale = (n - 1.0) / ((n - 2.0) * (n - 3.0))
            result = scale * ((n + 1.0) * n * (fourth / (second * second)) - 3.0 * (n - 1.0))
        out[c] = result if (n >= needed and second > 0.0) else np.nan
