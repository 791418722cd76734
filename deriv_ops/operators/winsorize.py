"""Values without their extremes."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le

from deriv_ops.kernels import like, ranking, values
from deriv_ops.operators._groups import codes_of
from deriv_ops.operators.declare import Frame, Groups, operator


@operator("cross section", missing="kept")
def winsorize(
    x: Frame,
    groups: Groups | None = None,
    /,
    lower: Annotated[float, Ge(0), Le(1)] = 0.01,
    upper: Annotated[float, Ge(0), Le(1)] = 0.99,
    by: str | None = None,
) -> Frame:
    """Each share, no further out than two quantiles of its group on that date.

    Parameters
    ----------
    x: dates x shares, in any unit.
    groups: who is compared with whom: a static table of one row a share, or labels by
        dates x shares; all shares with one another without it.
    lower: the quantile that takes the place of what is below it.
    upper: the quantile that takes the place of what is above it.
    by: the column of a static table that holds the groups; without it the one called ``sector``,
        or the only one.

    Returns
    -------
    dates x shares, in the unit of x. Quantiles are linear between two shares.

    Missing values: left out; missing where x is and where a share has no group.

    >>> import pandas as pd
    >>> x = pd.DataFrame([[1.0, 3, 8, 3]], pd.to_datetime(["2020-01-01"]), list("ABCD"))
    >>> winsorize(x, lower=0, upper=0.5).iloc[0].tolist()
    [1.0, 3.0, 3.0, 3.0]

    """
    codes, labels = codes_of("winsorize", x, groups, by)
    many = ranking.EVERYONE if groups is None else len(labels)
    ordered = ranking.order(values(x))
    return like(x, ranking.clipped(values(x), ordered, codes, many, lower, upper))
