"""The definition of ``get_clusters``: row by row, month by month."""

import math

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage

from oracles import Case, mean, present

CASES = (
    Case(("levels",)),
    Case(("levels",), {"levels": 1}),
    Case(("levels",), {"levels": 3, "method": "average"}),
    Case(("levels",), {"levels": 3, "method": "single"}),
    Case(("levels",), {"levels": 3, "method": "weighted"}),
    Case(("levels",), {"levels": 100}),
    Case(("levels",), {"end_date": "2015-08-31"}),
    Case(("levels",), {"end_date": "2015-08-30"}),
    Case(("levels",), {"end_date": "2014-06-30"}),
    Case(("levels",), {"end_date": "2030-01-01", "method": "complete"}),
    Case(("prices",), {"levels": 4}),
    Case(("infinite",), {"levels": 3}),
    Case(("sparse_dates",), {"levels": 3}),
    Case(("returns",), {"on": "correlation", "levels": 3}),
    Case(("returns",), {"on": "correlation", "levels": 4, "window": 60, "min_periods": 40}),
    Case(("returns",), {"on": "correlation", "levels": 3, "window": 40, "min_periods": 41}),
    Case(("returns",), {"on": "correlation", "levels": 3, "window": 1000, "min_periods": 20}),
    Case(("returns",), {"on": "correlation", "method": "average", "end_date": "2015-09-15"}),
    Case(("returns",), {"on": "correlation", "levels": 3, "method": "single"}),
    Case(("returns",), {"on": "correlation", "levels": 3, "method": "weighted"}),
    Case(("prices",), {"on": "correlation", "levels": 3, "window": 30, "min_periods": 2}),
    Case(("infinite",), {"on": "correlation", "levels": 3, "min_periods": 10}),
    Case(("single_row",)),
    Case(("all_missing",)),
    Case(("all_missing",), {"on": "correlation"}),
    Case(("no_rows",)),
)


def oracle(
    x: pd.DataFrame,
    levels: int = 5,
    end_date: str | None = None,
    on: str = "level",
    method: str = "ward",
    window: int | None = None,
    min_periods: int = 60,
) -> pd.DataFrame:
    result = pd.DataFrame(math.nan, index=x.index, columns=x.columns)
    values = {share: x[share].tolist() for share in x}
    labels: dict[str, int] = {}
    for row in range(1, len(x)):
        before, today = x.index[row - 1], x.index[row]
        new_month = (before.year, before.month) != (today.year, today.month)
        if new_month and (end_date is None or before <= pd.Timestamp(end_date)):
            history = x.iloc[:row]
            if on == "level":
                labels = by_level(history.iloc[-1], levels, method)
            else:
                histories = history if window is None else history.iloc[-window:]
                labels = by_correlation(histories, levels, method, min_periods)
        for share, label in labels.items():
            if not math.isnan(values[share][row]):
                result.loc[today, share] = label
    return result


def by_level(values: pd.Series, levels: int, method: str) -> dict[str, int]:
    seen = values[values.notna()]
    points = seen.to_numpy()[:, None]
    return numbered(dict(seen), points, levels, method)


def by_correlation(
    histories: pd.DataFrame, levels: int, method: str, min_periods: int
) -> dict[str, int]:
    shares = [share for share in histories if histories[share].count() >= min_periods]
    values = {share: histories[share].to_numpy() for share in shares}
    distances = [
        math.sqrt(2 * (1 - correlation(values[one], values[other], min_periods)))
        for position, one in enumerate(shares)
        for other in shares[position + 1 :]  # the order of a condensed distance matrix
    ]
    level = {share: mean(present(histories[share].tolist())) for share in shares}
    return numbered(level, np.array(distances), levels, method)


def correlation(one: np.ndarray, other: np.ndarray, min_periods: int) -> float:
    """Over the rows where both are present; 0 where it isn't defined."""
    both = ~(np.isnan(one) | np.isnan(other))
    a, b = one[both], other[both]
    if len(a) < max(min_periods, 2) or np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    return float(np.clip((a @ b) / math.sqrt((a @ a) * (b @ b)), -1, 1))


def numbered(
    level: dict[str, float], tree_of: np.ndarray, levels: int, method: str
) -> dict[str, int]:
    """The label of each share: groups of the tree, numbered from the lowest level up."""
    shares = list(level)
    if len(shares) < 2:
        return dict.fromkeys(shares, 0)
    found = fcluster(linkage(tree_of, method), levels, criterion="maxclust")
    members = {
        group: [share for share, at in zip(shares, found, strict=True) if at == group]
        for group in set(found)
    }
    lowest_first = sorted(
        members.values(),
        key=lambda group: (mean([level[share] for share in group]), shares.index(group[0])),
    )
    return {share: label for label, group in enumerate(lowest_first) for share in group}
