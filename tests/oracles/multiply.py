"""The definition of ``multiply``, by hand."""

import math

import pandas as pd

from oracles import Case, of_each_cell

CASES = (
    Case(("prices",)),
    Case(("infinite",)),
    Case(("prices", "returns")),
    Case(("prices", "returns", "levels")),
    Case(("prices", "levels", "counts", "caps")),
    Case(("prices", "market")),
    Case(("prices", "other_dates")),
    Case(("other_dates", "prices", "returns")),
    Case(("counts", "counts")),
    Case(("extremes", "extremes")),
    Case(("extremes", "prices")),
    Case(("spiky", "prices")),
    Case(("infinite", "returns")),
    Case(("returns", "infinite")),
    Case(("single_row", "prices")),
    Case(("prices", "single_row")),
    Case(("all_missing", "prices")),
    Case(("no_rows", "prices")),
    Case(("lone", "prices")),
)


def oracle(x: pd.DataFrame, *others: pd.DataFrame) -> pd.DataFrame:
    return of_each_cell(lambda *values: math.prod(values), x, *others)
