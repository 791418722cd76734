"""The definition of ``subtract``, by hand."""

import pandas as pd

from oracles import Case, of_each_cell

CASES = (
    Case(("prices", "returns")),
    Case(("high", "low")),
    Case(("prices", "prices")),
    Case(("returns", "market")),
    Case(("prices", "other_dates")),
    Case(("other_dates", "prices")),
    Case(("counts", "levels")),
    Case(("extremes", "extremes")),
    Case(("extremes", "prices")),
    Case(("spiky", "prices")),
    Case(("infinite", "prices")),
    Case(("prices", "infinite")),
    Case(("single_row", "prices")),
    Case(("prices", "single_row")),
    Case(("prices", "all_missing")),
    Case(("all_missing", "prices")),
    Case(("no_rows", "prices")),
    Case(("lone", "prices")),
)


def oracle(x: pd.DataFrame, y: pd.DataFrame) -> pd.DataFrame:
    return of_each_cell(lambda one, other: one - other, x, y)
