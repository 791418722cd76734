"""What each operator must give, worked out a second time: slowly, plainly, from its definition.

One file an operator, ``oracles/<operator>.py``, with these names in it:

- ``CASES``: the inputs (names of frames of ``tests/frames.py``) and parameters to try;
- ``oracle``: the same arguments to the expected frame. It gets its inputs aligned, with infinite
  values already missing, as the conventions of the operators promise;
- ``UNIT``, where results have a natural unit: see ``relative_errors``;
- ``UNALIGNED``, where an operator takes inputs on dates and shares of their own: the places of
  these among its inputs, counted from 0. Their infinite values are missing like all others.

An oracle shares no code with its operator, so that one mistake can't stand in both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Case:
    """One call to try: the frames by name, the parameters by their documented names."""

    inputs: tuple[str, ...]
    params: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        params = (f"{name}={value}" for name, value in self.params.items())
        return ",".join((*self.inputs, *params))


def cell_by_cell(x: pd.DataFrame, cell: Callable[[str, int], float]) -> pd.DataFrame:
    """A frame shaped like ``x`` with ``cell(share, row)`` in each place."""
    return pd.DataFrame(
        {share: [cell(share, row) for row in range(len(x))] for share in x},
        index=x.index,
        columns=x.columns,
        dtype="float64",
    )


def trailing(values: Sequence[Any], row: int, window: int | None) -> Sequence[Any]:
    """The last ``window`` values up to and with ``row``; all of them when ``window`` is None."""
    first = 0 if window is None else max(0, row + 1 - window)
    return values[first : row + 1]


def present(values: Sequence[float]) -> list[float]:
    """The values that aren't missing."""
    return [value for value in values if not math.isnan(value)]


def mean(values: Sequence[float]) -> float:
    """The mean from a sum that is rounded once (``math.fsum``), whatever the values' sizes."""
    return math.fsum(values) / len(values)


def finite(value: float) -> float:
    """The value, missing if it is infinite."""
    return math.nan if math.isinf(value) else value


def ew_mean(values: Sequence[float], row: int, decay: float) -> float:
    """The mean of the values up to and with ``row``, each weighted by ``decay ** age in rows``.

    What is averaged are the differences to the last value: a constant history gives it exactly.
    With ``decay`` 0 there has to be a value on the row itself.
    """
    weights = [(decay ** (row - at), at) for at in range(row + 1) if not math.isnan(values[at])]
    if not weights:
        return math.nan
    origin = values[weights[-1][1]]
    total = math.fsum(weight for weight, _ in weights)
    return origin + math.fsum(weight * (values[at] - origin) for weight, at in weights) / total


def labels_of(
    x: pd.DataFrame, groups: pd.DataFrame | None, by: str | None
) -> dict[tuple[str, int], object]:
    """The group of each share on each row of ``x``, None if it has none."""

    by_date = groups is not None and isinstance(groups.index, pd.DatetimeIndex)
    on_dates = {share: groups[share].tolist() for share in x} if by_date else {}

    def label(share: str, row: int) -> object:
        if groups is None:
            return "universe"
        if by_date:
            found = on_dates[share][row]
        elif share in groups.index:
            column = by or ("sector" if "sector" in groups else groups.columns[0])
            found = groups.loc[share, column]
        else:
            return None
        return None if pd.isna(found) else found

    rows = range(len(x))
    if by_date:
        return {(share, row): label(share, row) for share in x for row in rows}
    return {(share, row): found for share in x for found in [label(share, 0)] for row in rows}


def printed(label: object) -> str:
    """A group's column name: the label as text, a whole number without its ``.0``."""
    return f"{label:.0f}" if isinstance(label, float) and label.is_integer() else str(label)


def within_groups(
    x: pd.DataFrame,
    groups: pd.DataFrame | None,
    by: str | None,
    cell: Callable[[float, list[float]], float],
) -> pd.DataFrame:
    """``cell(value, values of its group on that date)`` for each value of a share with a group."""
    labels = labels_of(x, groups, by)
    values = {share: x[share].tolist() for share in x}
    members: dict[object, list[float]] = {}
    for (share, row), label in labels.items():
        members.setdefault((label, row), []).append(values[share][row])

    def result(share: str, row: int) -> float:
        value, label = values[share][row], labels[share, row]
        if math.isnan(value) or label is None:
            return math.nan
        return cell(value, present(members[label, row]))

    return cell_by_cell(x, result)


def over_windows(
    x: pd.DataFrame,
    window: int,
    min_periods: int | None,
    cell: Callable[[list[float]], float],
    least: int = 1,
) -> pd.DataFrame:
    """``cell(observations of the window)`` where there are enough of them, ``least`` at least."""
    values = {share: x[share].tolist() for share in x}
    needed = max(window if min_periods is None else min_periods, least)

    def result(share: str, row: int) -> float:
        seen = present(trailing(values[share], row, window))
        return finite(cell(seen)) if len(seen) >= needed else math.nan

    return cell_by_cell(x, result)


def over_windows_of_two(
    x: pd.DataFrame,
    y: pd.DataFrame,
    window: int,
    min_periods: int | None,
    cell: Callable[[list[float], list[float]], float],
    least: int = 2,
) -> pd.DataFrame:
    """The same of two frames, with the rows of the window that have both."""
    both = {share: list(zip(x[share].tolist(), y[share].tolist(), strict=True)) for share in x}
    needed = max(window if min_periods is None else min_periods, least)

    def result(share: str, row: int) -> float:
        pairs = [
            pair for pair in trailing(both[share], row, window) if not any(map(math.isnan, pair))
        ]
        if len(pairs) < needed:
            return math.nan
        return finite(cell([a for a, _ in pairs], [b for _, b in pairs]))

    return cell_by_cell(x, result)


def deviations(values: Sequence[float]) -> list[float]:
    """The values less their mean; from the first one on, so that equal values give exactly 0."""
    shifted = [value - values[0] for value in values]
    center = mean(shifted)
    return [value - center for value in shifted]


def product(a: Sequence[float], b: Sequence[float]) -> float:
    """The sum of the products, rounded once."""
    return math.fsum(p * q for p, q in zip(a, b, strict=True))


def of_each_cell(
    function: Callable[..., float], x: pd.DataFrame, *others: pd.DataFrame
) -> pd.DataFrame:
    """``function`` of the cells in the same place, infinite results missing."""
    frames = [{share: table[share].tolist() for share in x} for table in (x, *others)]

    def result(share: str, row: int) -> float:
        try:
            return finite(function(*(table[share][row] for table in frames)))
        except OverflowError:
            return math.nan

    return cell_by_cell(x, result)


def relative_errors(
    result: pd.DataFrame, expected: pd.DataFrame, unit: float = 0.0
) -> pd.DataFrame:
    """The error of each cell over its expected size, or the column's typical size if larger.

    Purely cell by cell no arithmetic could hold a bound: a deviation or a z-score is a difference
    of two numbers, and where they nearly cancel, the rounding of the operands (one part in 10^16
    of *their* size) remains in a result near zero. The typical size is the median of the column's
    magnitudes, not their root mean square: a single huge value would raise that for the whole
    column, and hide the residue which a running sum keeps after the value has left the window.
    Results which are counted in a unit of their own (a z-score in standard deviations, a
    correlation as a part of 1) are no smaller than ``unit`` in this sense.
    """
    magnitude = expected.abs()
    size = magnitude.clip(lower=magnitude.median().clip(lower=unit), axis="columns")
    error = (result - expected).abs()
    return error.where(error == 0, error / size)


def assert_same(
    result: pd.DataFrame, expected: pd.DataFrame, unit: float = 0.0, tolerance: float = 1e-12
) -> None:
    """Same dates, same columns, missing in the same places, values within ``tolerance``."""
    pd.testing.assert_index_equal(result.index, expected.index, exact=True)
    assert list(result.columns) == list(expected.columns), (
        f"columns {list(result.columns)} instead of {list(expected.columns)}"
    )
    only_one = result.isna() != expected.isna()
    errors = relative_errors(result, expected, unit)
    for wrong, what in (
        (only_one, "missing in one of the two only"),
        (errors > tolerance, f"more than {tolerance} apart (largest: {errors.max().max():.3g})"),
    ):
        rows, columns = np.nonzero(wrong.to_numpy())
        if len(rows):
            date, share = result.index[rows[0]], result.columns[columns[0]]
            raise AssertionError(
                f"{len(rows)} cells are {what}; the first, {share!r} on {date:%Y-%m-%d}, "
                f"is {result.loc[date, share]} instead of {expected.loc[date, share]}"
            )
