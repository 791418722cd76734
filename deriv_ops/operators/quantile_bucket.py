"""Buckets of shares."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge

from deriv_ops.kernels import like, ranking, values
from deriv_ops.operators._groups import codes_of
from deriv_ops.operators.declare import Frame, Groups, operator


@operator("cross section", missing="kept")
def quantile_bucket(
    x: Frame,
    groups: Groups | None = None,
    /,
    buckets: Annotated[int, Ge(2)] = 5,
    by: str | None = None,
) -> Frame:
    """Which of several buckets of equal size each share is in on that date.

    Parameters
    ----------
    x: dates x shares, in any unit.
    groups: who is compared with whom: a static table of one row a share, or labels by
        dates x shares; all shares with one another without it.
    buckets: how many.
    by: the column of a static table that holds the groups; without it the one called ``sector``,
        or the only one.

    Returns
    -------
    dates x shares, 0 for the bucket of the least values; equal values share one.

    Missing values: left out; missing where x is and where a share has no group.

    >>> import pandas as pd
    >>> x = pd.DataFrame([[1.0, 3, 8, 3]], pd.to_datetime(["2020-01-01"]), list("ABCD"))
    >>> quantile_bucket(x, buckets=2).iloc[0].tolist()
    [0.0, 1.0, 1.0, 1.0]

    """
    codes, labels = codes_of("quantile_bucket", x, groups, by)
    many = ranking.EVERYONE if groups is None else len(labels)
    cells = values(x)
    ordered = ranking.order(cells)
    # Twice the rank less one is a whole number, as is the number of shares: nothing is rounded.
    doubled = 2 * ranking.ranks(cells, ordered, codes, many, False) - 1
    return like(x, np.floor(buckets * doubled / (2 * ranking.sizes(cells, codes, many))))
