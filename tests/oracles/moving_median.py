"""The definition of ``moving_median``, window by window."""

import statistics

import pandas as pd

from oracles import Case, over_windows

CASES = (
    Case(("prices",), {"window": 20}),
    Case(("prices",), {"window": 60, "min_periods": 30}),
    Case(("returns",), {"window": 5, "min_periods": 1}),
    Case(("counts",), {"window": 7, "min_periods": 4}),
    Case(("spiky",), {"window": 10}),
    Case(("infinite",), {"window": 10, "min_periods": 5}),
    Case(("prices",), {"window": 10, "min_periods": 20}),
    Case(("prices",), {"window": 250}),
    Case(("prices",), {"window": 210, "min_periods": 1}),
    Case(("returns",), {"window": 1000, "min_periods": 20}),
    Case(("single_row",), {"window": 1}),
    Case(("all_missing",), {"window": 3, "min_periods": 1}),
    Case(("no_rows",), {"window": 3}),
    Case(("lone",), {"window": 5, "min_periods": 2}),
)


def oracle(x: pd.DataFrame, window: int, min_periods: int | None = None) -> pd.DataFrame:
    return over_windows(x, window, min_periods, statistics.median)
