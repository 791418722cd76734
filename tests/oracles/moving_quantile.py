"""The definition of ``moving_quantile``, window by window."""

import math

import pandas as pd

from oracles import Case, over_windows

CASES = (
    Case(("prices",), {"window": 20, "quantile": 0.5}),
    Case(("prices",), {"window": 60, "min_periods": 30, "quantile": 0.05}),
    Case(("returns",), {"window": 5, "min_periods": 1, "quantile": 1.0}),
    Case(("counts",), {"window": 7, "min_periods": 4, "quantile": 0.0}),
    Case(("spiky",), {"window": 10, "quantile": 0.3}),
    Case(("infinite",), {"window": 10, "min_periods": 5, "quantile": 0.9}),
    Case(("prices",), {"window": 10, "min_periods": 20, "quantile": 0.5}),
    Case(("prices",), {"window": 220, "quantile": 0.9, "min_periods": 5}),
    Case(("returns",), {"window": 240, "quantile": 0.0, "min_periods": 100}),
    Case(("returns",), {"window": 1000, "quantile": 1.0, "min_periods": 1}),
    Case(("single_row",), {"window": 1, "quantile": 0.5}),
    Case(("all_missing",), {"window": 3, "min_periods": 1, "quantile": 1.0}),
    Case(("no_rows",), {"window": 3, "quantile": 0.5}),
    Case(("lone",), {"window": 5, "min_periods": 2, "quantile": 0.75}),
)


def oracle(
    x: pd.DataFrame, window: int, quantile: float, min_periods: int | None = None
) -> pd.DataFrame:
    def between(seen: list[float]) -> float:
        ordered = sorted(seen)
        place = quantile * (len(ordered) - 1)
        below = math.floor(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (place - below) * (ordered[above] - ordered[below])

    return over_windows(x, window, min_periods, between)
