"""The definition of ``divide``, by hand."""

import math

import pandas as pd

from oracles import Case, of_each_cell

CASES = (
    Case(("prices", "returns")),
    Case(("traded", "caps")),
    Case(("caps", "traded")),
    Case(("returns", "returns")),
    Case(("prices", "market")),
    Case(("prices", "other_dates")),
    Case(("other_dates", "prices")),
    Case(("counts", "counts")),
    Case(("extremes", "extremes")),
    Case(("prices", "extremes")),
    Case(("spiky", "prices")),
    Case(("infinite", "prices")),
    Case(("prices", "infinite")),
    Case(("single_row", "prices")),
    Case(("prices", "single_row")),
    Case(("all_missing", "prices")),
    Case(("no_rows", "prices")),
    Case(("lone", "prices")),
)


def oracle(x: pd.DataFrame, y: pd.DataFrame) -> pd.DataFrame:
    return of_each_cell(lambda one, other: one / other if other != 0 else math.nan, x, y)
