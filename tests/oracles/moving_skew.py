"""The definition of ``moving_skew``, window by window."""

import math

import pandas as pd

from oracles import Case, deviations, over_windows

CASES = (
    Case(("prices",), {"window": 20}),
    Case(("prices",), {"window": 60, "min_periods": 30}),
    Case(("returns",), {"window": 5, "min_periods": 1}),
    Case(("counts",), {"window": 7, "min_periods": 4}),
    Case(("spiky",), {"window": 10}),
    Case(("infinite",), {"window": 10, "min_periods": 5}),
    Case(("prices",), {"window": 10, "min_periods": 20}),
    Case(("single_row",), {"window": 1}),
    Case(("all_missing",), {"window": 3, "min_periods": 1}),
    Case(("no_rows",), {"window": 3}),
    Case(("lone",), {"window": 5, "min_periods": 2}),
)


# Of a window that is nearly symmetric little is left but rounding: errors count against 1.
UNIT = 1.0


def oracle(x: pd.DataFrame, window: int, min_periods: int | None = None) -> pd.DataFrame:
    def skewness(seen: list[float]) -> float:
        n, moved = len(seen), deviations(seen)
        spread = math.sqrt(math.fsum(d**2 for d in moved) / (n - 1))
        if spread == 0:
            return math.nan
        return n / ((n - 1) * (n - 2)) * math.fsum((d / spread) ** 3 for d in moved)

    return over_windows(x, window, min_periods, skewness, least=3)
