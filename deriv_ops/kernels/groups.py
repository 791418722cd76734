"""Means and deviations of groups of columns, row by row.

Groups come as codes, -1 for a column that has none: one row of them for all, or one for each row.
Infinite values are taken for missing ones.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numba import types
from numpy.typing import NDArray

from deriv_ops.kernels import CODES, FRAME, Codes, Floats, kernel, part

# Of columns in a row that is put group by group.
Places: TypeAlias = NDArray[np.uint32]


# Labels that are numbers from 0 to below this are codes already, or nearly.
MOST_LABELS = 4096


@kernel(FRAME)
def numbered(labels: Floats) -> tuple[Codes, NDArray[np.bool_]]:
    """Return codes of labels that are small whole numbers, and which of these there are.

    No codes at all if some label is another number.
    """
    rows, columns = labels.shape
    codes, there = np.empty((rows, columns), np.int32), np.zeros(MOST_LABELS + 1, np.bool_)
    for row in range(rows):
        if _others(labels[row]):
            return codes[:0], there
        _number(labels[row], codes[row])
        for code in codes[row]:
            there[code] = True
    return codes, there[:MOST_LABELS]


@part
def _others(labels: Floats) -> int:
    count = 0
    for c in range(len(labels)):
        label = labels[c]
        known = label >= 0.0 and label < MOST_LABELS and np.floor(label) == label
        count += not known and label == label
    return count


@part
def _number(labels: Floats, codes: Codes) -> None:
    for c in range(len(codes)):
        codes[c] = np.int32(labels[c]) if labels[c] == labels[c] else np.int32(-1)


@kernel(FRAME, CODES, types.int64)
def means(x: Floats, codes: Codes, groups: int) -> Floats:
    """Return the mean of each group that has a value: rows x groups."""
    rows, columns = x.shape
    out = np.empty((rows, groups))
    places, starts, room = _room(columns, groups)
    for row in range(rows):
        _gather(x[row], row, codes, places, starts, room)
        for group in range(groups):
            out[row, group] = _mean(room[starts[group] : starts[group + 1]])
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
            if group >= 0 and abs(value) < np.inf and 0.0 < weight < np.inf:
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
            known = group >= 0 and abs(value) < np.inf
            out[row, c] = of_groups[row, group] if known else np.nan
    return out


@kernel(FRAME, CODES, types.int64)
def deviations(x: Floats, codes: Codes, groups: int) -> Floats:
    """Return each value less the mean of its group."""
    rows, columns = x.shape
    out = np.empty((rows, columns))
    places, starts, room = _room(columns, groups)
    for row in range(rows):
        _gather(x[row], row, codes, places, starts, room)
        for group in range(groups):
            members = room[starts[group] : starts[group + 1]]
            _deviate(members, _mean(members))
        _scatter(room, places, out[row])
    return out


@kernel(FRAME, CODES, types.int64)
def zscores(x: Floats, codes: Codes, groups: int) -> Floats:
    """Return each value less the mean of its group, over the sample deviation of the group."""
    rows, columns = x.shape
    out = np.empty((rows, columns))
    places, starts, room = _room(columns, groups)
    for row in range(rows):
        _gather(x[row], row, codes, places, starts, room)
        for group in range(groups):
            members = room[starts[group] : starts[group + 1]]
            _standardize(members, _mean(members))
        _scatter(room, places, out[row])
    return out


@part
def _room(columns: int, groups: int) -> tuple[Places, Places, Floats]:
    """Return room for the places of columns, for where groups start, and for the values so put.

    One place behind the last group is for all columns that have none.
    """
    return np.empty(columns, np.uint32), np.zeros(groups + 1, np.uint32), np.empty(columns + 1)


@part
def _gather(
    values: Floats, row: int, codes: Codes, places: Places, starts: Places, room: Floats
) -> None:
    """Put the values of a row group by group, so that a group is worked on side by side."""
    code = codes[row % len(codes)]
    if row == 0 or (len(codes) > 1 and not _same(code, codes[row - 1])):
        _place(code, places, starts)
    for c in range(len(values)):
        room[places[c]] = values[c] if abs(values[c]) < np.inf else np.nan
    room[starts[-1]] = np.nan


@part
def _same(code: Codes, other: Codes) -> bool:
    different = 0
    for c in range(len(code)):
        different += code[c] != other[c]
    return different == 0


@part
def _place(code: Codes, places: Places, starts: Places) -> None:
    starts[:] = 0
    for group in code:
        starts[group] += 1
    starts[-1], total = 0, 0
    for group in range(len(starts)):
        starts[group], total = total, total + starts[group]
    # Each start moves on as its group fills up, to the start of the next; the last stays.
    for c in range(len(code)):
        group = code[c]
        places[c] = starts[group]
        starts[group] += group >= 0
    for group in range(len(starts) - 2, 0, -1):
        starts[group] = starts[group - 1]
    starts[0] = 0


@part
def _scatter(room: Floats, places: Places, out: Floats) -> None:
    for c in range(len(out)):
        out[c] = room[places[c]]


@part
def _or_0(value: float) -> float:
    return value if value == value else 0.0


@part
def _mean(members: Floats) -> float:
    """Return the mean; of equal values exactly theirs, as it is taken from the first one on.

    Four sums side by side are faster than one.
    """
    first = 0
    while first < len(members) and members[first] != members[first]:
        first += 1
    if first == len(members):
        return np.nan
    origin, whole, count = members[first], len(members) - len(members) % 4, 0
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for at in range(0, whole, 4):
        a += _or_0(members[at] - origin)
        b += _or_0(members[at + 1] - origin)
        c += _or_0(members[at + 2] - origin)
        d += _or_0(members[at + 3] - origin)
    for at in range(whole, len(members)):
        a += _or_0(members[at] - origin)
    for at in range(len(members)):
        count += members[at] == members[at]
    return float(origin + ((a + b) + (c + d)) / count)


@part
def _deviate(members: Floats, mean: float) -> None:
    for at in range(len(members)):
        deviation = members[at] - mean
        members[at] = deviation if abs(deviation) < np.inf else np.nan


@part
def _standardize(members: Floats, mean: float) -> None:
    """Make values deviations from their mean, over the sample deviation."""
    whole, count = len(members) - len(members) % 4, 0
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for at in range(0, whole, 4):
        a += _or_0((members[at] - mean) * (members[at] - mean))
        b += _or_0((members[at + 1] - mean) * (members[at + 1] - mean))
        c += _or_0((members[at + 2] - mean) * (members[at + 2] - mean))
        d += _or_0((members[at + 3] - mean) * (members[at + 3] - mean))
    for at in range(whole, len(members)):
        a += _or_0((members[at] - mean) * (members[at] - mean))
    for at in range(len(members)):
        count += members[at] == members[at]
    squares = (a + b) + (c + d)
    spread = np.sqrt(squares / (count - 1.0)) if squares > 0.0 else np.nan
    for at in range(len(members)):
        members[at] = (members[at] - mean) / spread
