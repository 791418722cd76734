"""Deviation from the mean of a group of shares."""

from __future__ import annotations

import pandas as pd

from deriv_ops.errors import OperatorError
from deriv_ops.kernels import finite, like, values
from deriv_ops.kernels import groups as kernels
from deriv_ops.operators._groups import codes_of
from deriv_ops.operators.conventions import is_dated
from deriv_ops.operators.declare import Frame, Groups, operator


@operator(
    "cross section",
    missing="kept",
    aliases={"clusterishito": "time_varying"},
    takes_infinite=True,
)
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
    if time_varying and (groups is None or not is_dated(groups)):
        raise OperatorError(
            "calc_dev_by: time_varying groups must be dates x shares, got "
            + ("none" if groups is None else "a static table")
        )
    codes, labels = codes_of("calc_dev_by", x, groups, by)
    if do_reduce:
        means = finite(kernels.means(values(x), codes, len(labels)))
        return pd.DataFrame(means, x.index, labels, copy=False)
    return like(x, kernels.deviations(values(x), codes, len(labels)))
