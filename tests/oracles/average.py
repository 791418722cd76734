"""The definition of ``average``, by hand."""

import math

import pandas as pd

from oracles import Case, mean, of_each_cell, present

CASES = (
    Case(("prices",)),
    Case(("prices", "returns")),
    Case(("prices", "returns", "levels")),
    Case(("high", "low", "prices", "other_dates")),
    Case(("returns", "market")),
    Case(("prices", "other_dates")),
    Case(("other_dates", "prices", "returns")),
    Case(("counts", "levels")),
    Case(("counts", "counts", "returns")),
    Case(("spiky", "prices")),
    Case(("infinite", "prices")),
    Case(("infinite", "infinite")),
    Case(("prices", "infinite", "returns")),
    Case(("single_row", "prices")),
    Case(("prices", "single_row")),
    Case(("prices", "all_missing")),
    Case(("all_missing", "prices")),
    Case(("no_rows", "prices")),
    Case(("lone", "prices")),
)


def oracle(x: pd.DataFrame, *others: pd.DataFrame) -> pd.DataFrame:
    def average(*values: float) -> float:
        seen = present(values)
        return mean(seen) if seen else math.nan

    return of_each_cell(average, x, *others)
