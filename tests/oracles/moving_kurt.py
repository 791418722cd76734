"""The definition of ``moving_kurt``, window by window."""

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


# Of a window that is nearly normal little is left but rounding: errors count against 1.
UNIT = 1.0


def oracle(x: pd.DataFrame, window: int, min_periods: int | None = None) -> pd.DataFrame:
    def kurtosis(seen: list[float]) -> float:
        n, moved = len(seen), deviations(seen)
        spread = math.sqrt(math.fsum(d**2 for d in moved) / (n - 1))
        if spread == 0:
            return math.nan
        fourth = math.fsum((d / spread) ** 4 for d in moved)
        scale = n * (n + 1) / ((n - 1) * (n - 2) * (n - 3))
        return scale * fourth - 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))

    return over_windows(x, window, min_periods, kurtosis, least=4)
