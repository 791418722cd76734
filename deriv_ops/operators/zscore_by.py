"""Standing among shares."""

from __future__ import annotations

from deriv_ops.kernels import groups as kernels
from deriv_ops.kernels import like, values
from deriv_ops.operators._groups import codes_of
from deriv_ops.operators.declare import Frame, Groups, operator


@operator("cross section", missing="kept", takes_infinite=True)
def zscore_by(x: Frame, groups: Groups | None = None, /, by: str | None = None) -> Frame:
    """Each share less the mean of its group on that date, over the group's sample deviation.

    Parameters
    ----------
    x: dates x shares, in any unit.
    groups: who is compared with whom: a static table of one row a share, or labels by
        dates x shares; all shares with one another without it.
    by: the column of a static table that holds the groups; without it the one called ``sector``,
        or the only one.

    Returns
    -------
    dates x shares, in standard deviations of the group.

    Missing values: left out; missing where x is, where a share has no group, in groups of fewer
    than two shares and in those whose shares are all equal.

    >>> import pandas as pd
    >>> x = pd.DataFrame([[1.0, 3, 8, 3]], pd.to_datetime(["2020-01-01"]), list("ABCD"))
    >>> zscore_by(x).iloc[0].round(4).tolist()
    [-0.9209, -0.2512, 1.4233, -0.2512]

    """
    codes, labels = codes_of("zscore_by", x, groups, by)
    return like(x, kernels.zscores(values(x), codes, len(labels)))
