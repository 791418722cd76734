"""Which group each share is in on each date, the same for every operator that takes groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deriv_ops.errors import OperatorError, did_you_mean
from deriv_ops.kernels import Codes, values
from deriv_ops.kernels import groups as kernels
from deriv_ops.operators.conventions import is_dated

UNIVERSE = "universe"


def codes_of(
    operator: str, x: pd.DataFrame, groups: pd.DataFrame | None, by: str | None
) -> tuple[Codes, pd.Index]:
    """Return the codes of the shares' groups as kernels take them, and the groups' labels.

    One row of codes for all dates where groups don't change, else a row for each date. Without
    groups all shares are in one, the universe.

    Raises `OperatorError` if `by` isn't a column of the table, or which one is meant can't be told.
    """
    if groups is None:
        return np.zeros((1, x.shape[1]), np.int32), pd.Index([UNIVERSE])
    if is_dated(groups):
        if by is not None:
            raise OperatorError(
                f"{operator}: 'by' names a column of a static table; groups are dates x shares"
            )
        cells = groups.to_numpy()
        if cells.dtype.kind in "fi":
            numbers, there = kernels.numbered(values(groups))
            if len(numbers):
                return _without_gaps(numbers, there), _names(np.flatnonzero(there))
    else:
        cells = _column(operator, groups, by).reindex(x.columns).to_numpy()[None, :]
    codes, labels = pd.factorize(cells.ravel(), sort=True)
    return np.ascontiguousarray(codes.reshape(cells.shape), np.int32), _names(labels)


def _without_gaps(numbers: Codes, there: NDArray[np.bool_]) -> Codes:
    """Return numbers from 0 on, without those that aren't there; -1 stays."""
    count = np.count_nonzero(there)
    if there[:count].all():
        return numbers
    # What -1 picks is the last one.
    codes: Codes = np.append(np.cumsum(there) - 1, -1).astype(np.int32)[numbers]
    return codes


def _column(operator: str, table: pd.DataFrame, by: str | None) -> pd.Series:
    columns = list(table.columns)
    if by is None:
        by = "sector" if "sector" in columns or len(columns) != 1 else columns[0]
    if by not in columns:
        have = ", ".join(map(str, columns))
        raise OperatorError(
            f"{operator}: the table of groups has no column {by!r}; it has {have}"
            f"{did_you_mean(by, columns)}; name one with the parameter 'by'"
        )
    column: pd.Series = table[by]
    return column


def _names(labels: NDArray[np.generic]) -> pd.Index:
    whole = labels.dtype.kind == "f" and bool((labels == np.trunc(labels)).all())
    return pd.Index([str(label) for label in (labels.astype("int64") if whole else labels)])
