"""The definition of ``zscore_by``, by hand."""

import math

import pandas as pd

from oracles import Case, mean, within_groups

UNIT = 1.0  # z-scores count standard deviations

CASES = (
    Case(("prices",)),
    Case(("returns",)),
    Case(("levels",)),
    Case(("prices", "sectors")),
    Case(("prices", "sectors"), {"by": "industry"}),
    Case(("returns", "one_column_table")),
    Case(("returns", "labels_text")),
    Case(("returns", "labels_number")),
    Case(("counts", "labels_number")),
    Case(("counts",)),
    Case(("other_dates", "labels_number")),
    Case(("spiky",)),
    Case(("spiky", "sectors")),
    Case(("infinite",)),
    Case(("infinite", "sectors")),
    Case(("single_row",)),
    Case(("single_row", "labels_number")),
    Case(("all_missing",)),
    Case(("no_rows", "sectors")),
    Case(("lone",)),
)


def oracle(
    x: pd.DataFrame, groups: pd.DataFrame | None = None, by: str | None = None
) -> pd.DataFrame:
    def score(value: float, group: list[float]) -> float:
        if min(group) == max(group):  # all equal, or only one
            return math.nan
        center = mean(group)
        variance = math.fsum((one - center) ** 2 for one in group) / (len(group) - 1)
        return (value - center) / math.sqrt(variance)

    return within_groups(x, groups, by, score)
