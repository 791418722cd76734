"""Order statistics across columns, row by row, within groups (see `groups` for their codes)."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numba import types
from numpy.typing import NDArray

from deriv_ops.kernels import CODES, FRAME, Codes, Floats, kernel, part

# In place of a number of groups: all columns are one.
EVERYONE = -1

# So many values are sorted faster by insertion.
FEW = 32

SIGN = np.uint32(1 << 31)
MISSING = np.uint32(0xFFFFFFFF)
RoomToSort: TypeAlias = tuple[
    NDArray[np.float32], NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int32]
]
LOW, DIGIT, DIGITS = np.uint64(0xFFFFFFFF), np.uint64(0x7FF), 2048


@kernel(FRAME)
def order(x: Floats) -> Codes:
    """Return the columns of each row from the least value to the largest, missing ones last."""
    rows, columns = x.shape
    out = np.empty((rows, columns), np.int32)
    room = room_to_sort(columns)
    for row in range(rows):
        sort(x[row], room, out[row])
    return out


@part
def room_to_sort(most: int) -> RoomToSort:
    """Return what `sort` works in, for so many values at most."""
    here, there = np.empty(most, np.uint64), np.empty(most, np.uint64)
    return np.empty(most, np.float32), here, there, np.empty((3, DIGITS), np.int32)


@part
def sort(values: Floats, room: RoomToSort, out: Codes) -> None:
    """Write the places of values from the least to the largest, of missing ones last.

    A radix sort of the values in single precision, as integers that are in the same order, with
    the place beside each; where single precision can't tell values apart, they are looked at.
    """
    single, here, there, places = room
    single, here, there = single[: len(values)], here[: len(values)], there[: len(values)]
    for c in range(len(values)):
        # Zero has two signs; adding zero leaves it with one.
        single[c] = values[c] + 0.0
    _keys(values, single.view(np.uint32), here, places)
    _sort_by_digit(here, there, places[0], np.uint64(32))
    _sort_by_digit(there, here, places[1], np.uint64(43))
    _sort_by_digit(here, there, places[2], np.uint64(54))
    _columns(values, there, out)


@part
def _keys(
    values: Floats, single: NDArray[np.uint32], keys: NDArray[np.uint64], places: Codes
) -> None:
    """Write a key for each column, and where the keys with each digit will begin."""
    places[:] = 0
    for c in range(len(values)):
        bits = single[c]
        key = np.uint32(~bits) if bits & SIGN else np.uint32(bits | SIGN)
        key = key if values[c] == values[c] else MISSING
        keys[c] = (np.uint64(key) << np.uint64(32)) | np.uint64(c)
        for digit in range(3):
            places[digit, (np.uint64(key) >> np.uint64(11 * digit)) & DIGIT] += 1
    for digit in range(3):
        total = 0
        for at in range(DIGITS):
            count = places[digit, at]
            places[digit, at] = total
            total += count


@part
def _sort_by_digit(
    keys: NDArray[np.uint64], to: NDArray[np.uint64], places: Codes, shift: np.uint64
) -> None:
    for key in keys:
        digit = (key >> shift) & DIGIT
        to[places[digit]] = key
        places[digit] += 1


@part
def _columns(values: Floats, keys: NDArray[np.uint64], out: Codes) -> None:
    """Write the columns of sorted keys, those of equal keys by their values."""
    for c in range(len(keys)):
        out[c] = np.int32(keys[c] & LOW)
    first = 0
    for until in range(1, len(keys) + 1):
        if until < len(keys) and keys[until] & ~LOW == keys[first] & ~LOW:
            continue
        if until - first > 1:
            _sort_by_value(values, out[first:until])
        first = until


@part
def _sort_by_value(values: Floats, columns: Codes) -> None:
    """Sort a few columns by insertion; many, unless they are in order as equal ones are, as such.

    Both keep the order of equal values. Missing ones are left as they are.
    """
    sorted_until = 1
    while sorted_until < len(columns) and not (
        values[columns[sorted_until - 1]] > values[columns[sorted_until]]
    ):
        sorted_until += 1
    if sorted_until == len(columns):
        return
    if len(columns) > FEW:
        columns[:] = columns[np.argsort(values[columns], kind="mergesort")]
        return
    for at in range(sorted_until, len(columns)):
        column, to = columns[at], at
        while to > 0 and values[columns[to - 1]] > values[column]:
            columns[to] = columns[to - 1]
            to -= 1
        columns[to] = column


@kernel(FRAME, CODES, CODES, types.int64, types.boolean)
def ranks(x: Floats, ordered: Codes, codes: Codes, groups: int, relative: bool) -> Floats:
    """Return the rank of each value in its group, the mean one of equal values."""
    rows, columns = x.shape
    out = np.empty((rows, columns))
    starts, grouped = np.empty(max(groups, 1) + 1, np.int64), np.empty(columns, np.int32)
    ascending, found = np.empty(columns), np.empty(columns)
    for row in range(rows):
        _group(x[row], ordered[row], codes[row % len(codes)], groups, starts, grouped)
        out[row] = np.nan
        for group in range(1 if groups == EVERYONE else groups):
            first, until = starts[group], starts[group + 1]
            size, members = until - first, grouped[first:until].view(np.uint32)
            _take(x[row], members, ascending[:size])
            _rank(ascending[:size], size if relative else 1.0, found[:size])
            _put(found[:size], members, out[row])
    return out


@part
def _take(values: Floats, members: NDArray[np.uint32], out: Floats) -> None:
    for at in range(len(out)):
        out[at] = values[members[at]]


@part
def _put(values: Floats, members: NDArray[np.uint32], out: Floats) -> None:
    for at in range(len(values)):
        out[members[at]] = values[at]


@part
def _rank(ascending: Floats, scale: float, out: Floats) -> None:
    """Write the ranks of values in order, the mean one to equal values, over a scale."""
    ties = 0
    for at in range(len(out)):
        out[at] = (at + 1.0) / scale
    for at in range(1, len(out)):
        ties += ascending[at] == ascending[at - 1]
    if not ties:
        return
    at = 0
    while at < len(out):
        upto = at + 1
        while upto < len(out) and ascending[upto] == ascending[at]:
            upto += 1
        if upto > at + 1:
            out[at:upto] = ((at + upto + 1) / 2) / scale
        at = upto


@kernel(FRAME, CODES, types.int64)
def sizes(x: Floats, codes: Codes, groups: int) -> Floats:
    """Return how many columns with a value the group of each column has; 0 without a group."""
    rows, columns = x.shape
    out = np.zeros((rows, columns))
    count = np.empty(max(groups, 1))
    for row in range(rows):
        code = codes[row % len(codes)]
        count[:] = 0.0
        for c in range(columns):
            if x[row, c] == x[row, c] and code[c] >= 0:
                count[code[c]] += 1.0
        for c in range(columns):
            if code[c] >= 0:
                out[row, c] = count[code[c]]
    return out


@kernel(FRAME, CODES, CODES, types.int64, types.float64, types.float64)
def clipped(
    x: Floats, ordered: Codes, codes: Codes, groups: int, lower: float, upper: float
) -> Floats:
    """Return each value, or the quantile of its group that it lies beyond."""
    rows, columns = x.shape
    out = np.full((rows, columns), np.nan)
    starts, grouped = np.empty(max(groups, 1) + 1, np.int64), np.empty(columns, np.int32)
    for row in range(rows):
        values = x[row]
        _group(values, ordered[row], codes[row % len(codes)], groups, starts, grouped)
        for group in range(1 if groups == EVERYONE else groups):
            first, until = starts[group], starts[group + 1]
            if first == until:
                continue
            least = _quantile(values, grouped[first:until], lower)
            largest = _quantile(values, grouped[first:until], upper)
            for at in range(first, until):
                out[row, grouped[at]] = min(max(values[grouped[at]], least), largest)
    return out


@part
def _group(
    values: Floats,
    ordered: Codes,
    codes: Codes,
    groups: int,
    starts: NDArray[np.int64],
    grouped: Codes,
) -> None:
    """Put the columns that have a value one group after the other, each in order.

    With EVERYONE all columns are one group.
    """
    if groups == EVERYONE:
        count = 0
        for c in range(len(values)):
            count += values[c] == values[c]
        grouped[:] = ordered
        starts[0], starts[1] = 0, count
        return
    starts[:] = 0
    for c in range(len(values)):
        if values[c] == values[c] and codes[c] >= 0:
            starts[codes[c]] += 1
    total = 0
    for group in range(groups + 1):
        starts[group], total = total, total + starts[group]
    # Each start moves on as its group fills up, to the start of the next.
    for column in ordered:
        if values[column] == values[column] and codes[column] >= 0:
            grouped[starts[codes[column]]] = column
            starts[codes[column]] += 1
    for group in range(groups, 0, -1):
        starts[group] = starts[group - 1]
    starts[0] = 0


@part
def _quantile(values: Floats, members: Codes, quantile: float) -> float:
    place = quantile * (len(members) - 1)
    below = int(place)
    above = min(below + 1, len(members) - 1)
    least = values[members[below]]
    return float(least + (values[members[above]] - least) * (place - below))
