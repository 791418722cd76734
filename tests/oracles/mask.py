"""The definition of ``mask``, by hand."""

import math

import pandas as pd

from oracles import Case, of_each_cell

CASES = (
    Case(("prices", "returns")),
    Case(("prices", "counts")),
    Case(("returns", "traded")),
    Case(("prices", "labels_number")),
    Case(("prices", "market")),
    Case(("prices", "other_dates")),
    Case(("other_dates", "returns")),
    Case(("counts", "counts")),
    Case(("prices", "extremes")),
    Case(("extremes", "prices")),
    Case(("spiky", "counts")),
    Case(("infinite", "returns")),
    Case(("prices", "infinite")),
    Case(("single_row", "returns")),
    Case(("prices", "single_row")),
    Case(("prices", "all_missing")),
    Case(("all_missing", "prices")),
    Case(("no_rows", "prices")),
    Case(("lone", "prices")),
)


def oracle(x: pd.DataFrame, condition: pd.DataFrame) -> pd.DataFrame:
    def kept(value: float, wanted: float) -> float:
        return math.nan if math.isnan(wanted) or wanted == 0 else value

    return of_each_cell(kept, x, condition)
