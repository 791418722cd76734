"""The definition of ``moving_cov``, window by window."""

import pandas as pd

from oracles import Case, deviations, over_windows_of_two, product

CASES = (
    Case(("prices", "infinite"), {"window": 10, "min_periods": 5}),
    Case(("prices", "returns"), {"window": 20}),
    Case(("returns", "prices"), {"window": 60, "min_periods": 30}),
    Case(("returns", "counts"), {"window": 5, "min_periods": 1}),
    Case(("counts", "returns"), {"window": 7, "min_periods": 4}),
    Case(("returns", "market"), {"window": 30, "min_periods": 10}),
    Case(("other_dates", "returns"), {"window": 10, "min_periods": 5}),
    Case(("infinite", "prices"), {"window": 10, "min_periods": 5}),
    Case(("prices", "returns"), {"window": 10, "min_periods": 20}),
    Case(("single_row", "prices"), {"window": 1}),
    Case(("all_missing", "prices"), {"window": 3, "min_periods": 1}),
    Case(("no_rows", "prices"), {"window": 3}),
    Case(("lone", "lone"), {"window": 5, "min_periods": 2}),
)


def oracle(
    x: pd.DataFrame, y: pd.DataFrame, window: int, min_periods: int | None = None
) -> pd.DataFrame:
    def covariance(xs: list[float], ys: list[float]) -> float:
        return product(deviations(xs), deviations(ys)) / (len(xs) - 1)

    return over_windows_of_two(x, y, window, min_periods, covariance)
