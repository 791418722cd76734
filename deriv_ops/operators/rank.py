"""Rank among shares."""

from __future__ import annotations

from deriv_ops.kernels import like, ranking, values
from deriv_ops.operators._groups import codes_of
from deriv_ops.operators.declare import Frame, Groups, operator


@operator("cross section", missing="kept")
def rank(
    x: Frame, groups: Groups | None = None, /, pct: bool = True, by: str | None = None
) -> Frame:
    """Rank of each share in its group on that date, the mean one of equal values.

    Parameters
    ----------
    x: dates x shares, in any unit.
    groups: who is compared with whom: a static table of one row a share, or labels by
        dates x shares; all shares with one another without it.
    pct: divide the rank by the number of shares that have one.
    by: the column of a static table that holds the groups; without it the one called ``sector``,
        or the only one.

    Returns
    -------
    dates x shares, a fraction up to 1 (the largest), or with pct False 1 for the least.

    Missing values: left out; missing where x is and where a share has no group.

    >>> import pandas as pd
    >>> x = pd.DataFrame([[1.0, 3, 8, 3]], pd.to_datetime(["2020-01-01"]), list("ABCD"))
    >>> rank(x).iloc[0].tolist()
    [0.25, 0.625, 1.0, 0.625]

    """
    codes, labels = codes_of("rank", x, groups, by)
    many = ranking.EVERYONE if groups is None else len(labels)
    return like(x, ranking.ranks(values(x), ranking.order(values(x)), codes, many, pct))
