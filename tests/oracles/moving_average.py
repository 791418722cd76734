"""The definition of ``moving_average``, by hand."""

import math

import pandas as pd

from oracles import Case, cell_by_cell, mean, present, trailing

CASES = (
    Case(("prices",), {"window": 20}),
    Case(("prices",), {"window": 20, "min_periods": 1}),
    Case(("prices",), {"window": 20, "min_periods": 10}),
    Case(("prices",), {"window": 1}),
    Case(("prices",), {"window": 300}),
    Case(("prices",), {"window": 1000}),
    Case(("prices",), {"window": 1000, "min_periods": 250}),
    Case(("returns",), {"window": 60, "min_periods": 1}),
    Case(("counts",), {"window": 7}),
    Case(("spiky",), {"window": 5}),
    Case(("spiky",), {"window": 10, "min_periods": 1}),
    Case(("infinite",), {"window": 5, "min_periods": 2}),
    Case(("single_row",), {"window": 1}),
    Case(("all_missing",), {"window": 2, "min_periods": 1}),
    Case(("no_rows",), {"window": 2}),
)


def oracle(x: pd.DataFrame, window: int, min_periods: int | None = None) -> pd.DataFrame:
    least = window if min_periods is None else min_periods

    def average(share: str, row: int) -> float:
        seen = present(trailing(x[share].tolist(), row, window))
        return mean(seen) if len(seen) >= least else math.nan

    return cell_by_cell(x, average)
