"""Hierarchical clusters of shares, refreshed each month."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deriv_ops.kernels import Floats, like
from deriv_ops.kernels import values as values_of
from deriv_ops.kernels.correlation import PairSums
from deriv_ops.operators._types import Rows
from deriv_ops.operators.declare import Date, Frame, operator

Method: TypeAlias = Literal["ward", "average", "complete", "single", "weighted"]

HUGE = 1e100


@operator(
    "panel",
    lookback=None,
    missing="kept",
    aliases={"dend": "end_date", "minp": "min_periods"},
    working=lambda columns, on: 12 * columns**2 if on == "correlation" else columns**2,
)
def get_clusters(
    x: Frame,
    /,
    levels: Rows = 5,
    end_date: Date | None = None,
    on: Literal["level", "correlation"] = "level",
    method: Method = "ward",
    window: Rows | None = None,
    min_periods: Rows = 60,
) -> Frame:
    """Put the shares in `levels` groups by hierarchical clustering, once a calendar month.

    The clusters are made at the end of each month, from the rows up to its last one, and are in
    force from the first row of the next month until they are made again. No row depends on later
    ones: that a month is over is known when the next has begun. The first month has no clusters.

    Parameters
    ----------
    x: dates x shares; volatilities to cluster by level, returns to cluster by correlation.
    levels: how many groups; fewer where there are fewer distinct shares.
    end_date: the last date that clusters may be made from; those in force then stay.
    on: ``level`` clusters the values of the month's last row; ``correlation`` the histories, with
        the distance ``sqrt(2 (1 - rho))``.
    method: how the distance of two groups follows from that of their members (scipy `linkage`).
    window: how many rows of history the correlations take; all when None.
    min_periods: for correlations: how many observations a share must have, and two shares in
        common; with fewer their correlation counts as zero, as does that of a constant history.

    Returns
    -------
    dates x shares: labels 0, 1, ... ordered by the groups' mean level (0 the lowest; for
    correlations the mean of the histories), so that a label means the same from month to month.

    Missing values: missing where x is, and for a share that had no data when clusters were made.

    Sources: Mantegna (1999), "Hierarchical structure in financial markets", for the distance;
    Ward (1963) for the default method.

    How the talk was read: ``dend`` freezes the clusters so that what is tested later was not used
    to make them.

    >>> import pandas as pd
    >>> dates = pd.to_datetime(["2020-01-30", "2020-01-31", "2020-02-03"])
    >>> x = pd.DataFrame({"A": [0.5, 0.5, 0.1], "B": [0.1, 0.1, 0.1], "C": 0.11}, dates)
    >>> get_clusters(x, levels=2).iloc[-1].to_dict()
    {'A': 1.0, 'B': 0.0, 'C': 0.0}

    """
    values = values_of(x)
    sums = PairSums(values) if on == "correlation" else None
    labels = np.full_like(values, np.nan)
    made = np.full(x.shape[1], np.nan)
    dates = pd.DatetimeIndex(x.index)
    last = dates.max() if end_date is None else pd.Timestamp(end_date)
    months = dates.year * 12 + dates.month
    firsts: list[int] = (1 + np.flatnonzero(np.diff(months))).tolist()
    for first, until in pairwise([*firsts, len(values)]):
        if dates[first - 1] <= last:
            if sums is None:
                made = _by_level(values[first - 1], levels, method)
            else:
                sums.take(max(0, first - window) if window else 0, first)
                made = _by_correlation(sums, levels, method, min_periods)
        labels[first:until] = made
    return like(x, np.where(np.isnan(values), np.nan, labels))


def _by_level(values: Floats, levels: int, method: Method) -> Floats:
    present = ~np.isnan(values)
    observations = values[present]
    labels = np.full_like(values, np.nan)
    if len(observations) > 1:
        # The distances are squared: what is huge is brought down first, which changes no group.
        largest = np.abs(observations).max()
        scale = largest if largest > HUGE else 1.0
        labels[present] = _ordered(
            _cut(observations[:, None] / scale, levels, method), observations
        )
    else:
        labels[present] = 0
    return labels


def _by_correlation(sums: PairSums, levels: int, method: Method, min_periods: int) -> Floats:
    from scipy.spatial.distance import squareform

    observed = sums.count.diagonal()
    present = observed >= min_periods
    labels = np.full(len(present), np.nan)
    if present.sum() > 1:
        rho = sums.correlations(min_periods)[np.ix_(present, present)]
        distance = np.sqrt(2 * (1 - rho))
        np.fill_diagonal(distance, 0.0)
        groups = _cut(squareform(distance, checks=False), levels, method)
        level = sums.origin[present] + sums.sums.diagonal()[present] / observed[present]
        labels[present] = _ordered(groups, level)
    else:
        labels[present] = 0
    return labels


def _cut(observed: Floats, levels: int, method: Method) -> NDArray[np.int32]:
    """Return the groups of observations, or of what has these distances (condensed)."""
    # Here, because who plans a catalog imports its operators: this takes longer than all of them.
    from scipy.cluster.hierarchy import fcluster, linkage

    groups: NDArray[np.int32] = fcluster(linkage(observed, method), levels, "maxclust")
    return groups


def _ordered(groups: NDArray[np.int32], level: Floats) -> Floats:
    """Number the groups by the mean level of their members, ties by who comes first."""
    _, firsts, members = np.unique(groups, return_index=True, return_inverse=True)
    means = np.bincount(members, level) / np.bincount(members)
    rank = np.empty(len(firsts))
    rank[np.lexsort((firsts, means))] = np.arange(len(firsts))
    ordered: Floats = rank[members]
    return ordered
