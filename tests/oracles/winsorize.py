"""The definition of ``winsorize``, by hand."""

import math
from fractions import Fraction

import pandas as pd

from oracles import Case, within_groups

CASES = (
    Case(("prices",)),
    Case(("prices",), {"lower": 0.1, "upper": 0.8}),
    Case(("returns",), {"lower": 0.0, "upper": 1.0}),
    Case(("returns",), {"lower": 0.25}),
    Case(("returns",), {"upper": 0.5}),
    Case(("returns",), {"lower": 0.5, "upper": 0.5}),
    Case(("returns", "sectors"), {"lower": 0.3, "upper": 0.7}),
    Case(("prices", "sectors"), {"by": "industry", "lower": 0.2}),
    Case(("returns", "one_column_table"), {"upper": 0.6}),
    Case(("returns", "labels_text"), {"lower": 0.05, "upper": 0.95}),
    Case(("levels", "labels_number"), {"lower": 0.1, "upper": 0.9}),
    Case(("counts",), {"lower": 0.1, "upper": 0.9}),
    Case(("other_dates", "labels_number"), {"lower": 0.1, "upper": 0.9}),
    Case(("spiky",), {"lower": 0.1, "upper": 0.9}),
    Case(("spiky", "sectors")),
    Case(("infinite",), {"lower": 0.1, "upper": 0.9}),
    Case(("single_row",)),
    Case(("single_row", "sectors")),
    Case(("all_missing", "sectors")),
    Case(("no_rows", "sectors")),
    Case(("lone",)),
)


def oracle(
    x: pd.DataFrame,
    groups: pd.DataFrame | None = None,
    lower: float = 0.01,
    upper: float = 0.99,
    by: str | None = None,
) -> pd.DataFrame:
    def clipped(value: float, group: list[float]) -> float:
        return min(max(value, quantile(group, lower)), quantile(group, upper))

    return within_groups(x, groups, by, clipped)


def quantile(values: list[float], part: float) -> float:
    """Between the two values nearest to the place ``part * (n - 1)``, counted from 0."""
    ordered = sorted(values)
    place = part * (len(ordered) - 1)
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    share_above = Fraction(place) - math.floor(place)
    return float(Fraction(below) * (1 - share_above) + Fraction(above) * share_above)
