"""Weighted means of groups."""

from __future__ import annotations

import pandas as pd

from deriv_ops.kernels import finite, like, values
from deriv_ops.kernels import groups as kernels
from deriv_ops.operators._groups import codes_of
from deriv_ops.operators.declare import Frame, Groups, operator


@operator("cross section", missing="left out", takes_infinite=True)
def weighted_mean(
    x: Frame,
    weights: Frame,
    groups: Groups | None = None,
    /,
    do_reduce: bool = False,
    by: str | None = None,
) -> Frame:
    """Mean of each share's group on that date, with weights such as market caps.

    Parameters
    ----------
    x: dates x shares, in any unit.
    weights: dates x shares; a share counts where its weight is above 0.
    groups: who belongs together: a static table of one row a share, or labels by
        dates x shares; all shares without it.
    do_reduce: return the means of the groups, dates x groups.
    by: the column of a static table that holds the groups; without it the one called ``sector``,
        or the only one.

    Returns
    -------
    dates x shares, in the unit of x; with do_reduce dates x groups, the labels as column names in
    sorted order (``universe`` without groups).

    Missing values: left out of the mean; missing where x is, where a share has no group, and where
    no share of the group has a weight.

    >>> import pandas as pd
    >>> x = pd.DataFrame([[1.0, 3, 8, 3]], pd.to_datetime(["2020-01-01"]), list("ABCD"))
    >>> weights = x * 0 + [1, 1, 0, 2]
    >>> weighted_mean(x, weights).iloc[0].tolist()
    [2.5, 2.5, 2.5, 2.5]

    """
    codes, labels = codes_of("weighted_mean", x, groups, by)
    means = finite(kernels.weighted_means(values(x), values(weights), codes, len(labels)))
    if do_reduce:
        return pd.DataFrame(means, x.index, labels, copy=False)
    return like(x, kernels.spread(values(x), codes, means))
