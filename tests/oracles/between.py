"""The definition of ``between``, by hand."""

import math

import pandas as pd

from oracles import Case, of_each_cell

CASES = (
    Case(("prices",)),
    Case(("prices",), {"lower": 87.13}),
    Case(("prices",), {"upper": 87.13}),
    Case(("prices",), {"lower": 87.13, "upper": 512.1}),
    Case(("prices",), {"lower": 100.0, "upper": 50.0}),
    Case(("returns",), {"lower": 0.0}),
    Case(("returns",), {"lower": -0.005, "upper": 0.005}),
    Case(("counts",), {"lower": -1.0, "upper": 2.0}),
    Case(("counts",), {"lower": 2, "upper": 2}),
    Case(("extremes",), {"lower": 0.0}),
    Case(("extremes",), {"upper": 1e308}),
    Case(("spiky",), {"upper": 1e6}),
    Case(("infinite",), {"lower": 50.0}),
    Case(("single_row",), {"lower": 50.0}),
    Case(("all_missing",)),
    Case(("no_rows",)),
    Case(("lone",), {"upper": 1.1}),
)


def oracle(x: pd.DataFrame, lower: float | None = None, upper: float | None = None) -> pd.DataFrame:
    def inside(value: float) -> float:
        if math.isnan(value):
            return math.nan
        high_enough = lower is None or value >= lower
        low_enough = upper is None or value <= upper
        return 1.0 if high_enough and low_enough else 0.0

    return of_each_cell(inside, x)
