"""Deviation from the mean of a group of shares."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deriv_ops.errors import OperatorError, did_you_mean
from deriv_ops.operators.conventions import is_dated
from deriv_ops.operators.declare import Frame, Groups, operator

Codes: TypeAlias = NDArray[np.intp]


@operator(aliases={"clusterishito": "time_varying"})
def calc_dev_by(
    x: Frame,
    groups: Groups | None = None,
    /,
    do_reduce: bool = False,
    time_varying: bool = False,
    by: str | None = None,
) -> Frame:
    """Each share less the mean of its group on that date, or those means themselves.

    Parameters
    ----------
    x: dates x shares.
    groups: who belongs together: a static table with one row a share, matched by ticker; labels
        by dates x shares; nothing for the whole universe as one group.
    do_reduce: return the means of the groups in place of the deviations from them.
    time_varying: demand that groups is dates x shares.
    by: the column of a static table that holds the groups; without it the one called ``sector``,
        or the only one.

    Returns
    -------
    dates x shares, in the unit of x; with do_reduce dates x groups, the labels as column names in
    sorted order (``universe`` without groups).

    Missing values: the mean is over the shares present on the date. No deviation where x is
    missing or the share has no group; no mean where no share of the group is present.

    Errors: `OperatorError` when the column isn't there or can't be told, and when time_varying
    groups come as a static table.

    How the talk was read: ``clusterishito`` says that the clusters are a history.

    >>> import pandas as pd
    >>> x = pd.DataFrame([[1.0, 3.0, 7.0]], pd.to_datetime(["2020-01-01"]), ["A", "B", "C"])
    >>> sectors = pd.DataFrame({"sector": ["Energy", "Energy"]}, ["B", "A"])
    >>> calc_dev_by(x, sectors).iloc[0].tolist()
    [-1.0, 1.0, nan]
    >>> calc_dev_by(x, sectors, do_reduce=True).iloc[0].to_dict()
    {'Energy': 2.0}

    """
    codes, labels = _codes(x, groups, time_varying, by)
    values = x.to_numpy()
    member = (codes >= 0) & ~np.isnan(values)
    row, share = np.nonzero(member)
    bins = row * len(labels) + codes[row, share]
    size = len(values) * len(labels)
    with np.errstate(invalid="ignore"):
        means = np.bincount(bins, values[row, share], size) / np.bincount(bins, minlength=size)
    if do_reduce:
        return pd.DataFrame(means.reshape(len(values), len(labels)), x.index, labels)
    deviation = np.full_like(values, np.nan)
    deviation[row, share] = values[row, share] - means[bins]
    return pd.DataFrame(deviation, x.index, x.columns)


def _codes(
    x: pd.DataFrame, groups: pd.DataFrame | None, time_varying: bool, by: str | None
) -> tuple[Codes, pd.Index]:
    """Return for each cell the position of its group among the labels, -1 for none."""
    if time_varying and (groups is None or not is_dated(groups)):
        raise OperatorError(
            "calc_dev_by: time_varying groups must be dates x shares, got "
            + ("none" if groups is None else "a static table")
        )
    if groups is None:
        return np.zeros(x.shape, np.intp), pd.Index(["universe"])
    if is_dated(groups):
        if by is not None:
            raise OperatorError(
                "calc_dev_by: 'by' names a column of a static table; groups are dates x shares"
            )
        cells = groups.to_numpy().ravel()
    else:
        cells = _column(groups, by).reindex(x.columns).to_numpy()
    codes, labels = pd.factorize(cells, sort=True)
    return np.broadcast_to(codes.reshape(-1, x.shape[1]), x.shape), _names(labels)


def _column(table: pd.DataFrame, by: str | None) -> pd.Series:
    columns = list(table.columns)
    if by is None:
        by = "sector" if "sector" in columns or len(columns) != 1 else columns[0]
    if by not in columns:
        have = ", ".join(map(str, columns))
        raise OperatorError(
            f"calc_dev_by: the table of groups has no column {by!r}; it has {have}"
            f"{did_you_mean(by, columns)}; name one with the parameter 'by'"
        )
    column: pd.Series = table[by]
    return column


def _names(labels: NDArray[np.generic]) -> pd.Index:
    whole = labels.dtype.kind == "f" and bool((labels == np.trunc(labels)).all())
    return pd.Index([str(label) for label in (labels.astype("int64") if whole else labels)])
