"""The definition of ``zscore``, by hand."""

import math

import pandas as pd

from oracles import Case, cell_by_cell, mean, present, trailing

UNIT = 1.0  # z-scores count standard deviations

CASES = (
    Case(("prices",)),
    Case(("prices",), {"period": 5, "min_periods": 1}),
    Case(("prices",), {"period": 1, "min_periods": 20, "window": 60}),
    Case(("prices",), {"period": 1, "min_periods": 60, "window": 60}),
    Case(("prices",), {"period": 1, "min_periods": 61, "window": 60}),
    Case(("prices",), {"period": 1, "min_periods": 1, "window": 1}),
    Case(("prices",), {"period": 1, "min_periods": 1, "window": 2}),
    Case(("prices",), {"period": 21, "min_periods": 10, "window": 1000}),
    Case(("prices",), {"period": 300}),
    Case(("prices",), {"period": 1, "min_periods": 301}),
    Case(("prices",), {"period": 1, "min_periods": 10, "relative": False, "window": 40}),
    Case(("returns",), {"period": 1, "min_periods": 10, "relative": False}),
    Case(("returns",), {"period": 2, "min_periods": 10, "relative": True}),
    Case(("counts",), {"period": 1, "min_periods": 5, "relative": False, "window": 20}),
    Case(("spiky",), {"period": 1, "min_periods": 2, "window": 20}),
    Case(("spiky",), {"period": 1, "min_periods": 2, "relative": False, "window": 20}),
    Case(("spiky",), {"period": 1, "min_periods": 2, "relative": False}),
    Case(("infinite",), {"period": 1, "min_periods": 2, "window": 10}),
    Case(("single_row",), {"min_periods": 1}),
    Case(("all_missing",), {"min_periods": 1}),
    Case(("no_rows",), {"min_periods": 1}),
)


def oracle(
    x: pd.DataFrame,
    period: int = 1,
    min_periods: int = 60,
    relative: bool = True,
    window: int | None = None,
) -> pd.DataFrame:
    levels = {share: x[share].tolist() for share in x}

    def change(share: str, row: int) -> float:
        if row < period:
            return math.nan
        before, now = levels[share][row - period], levels[share][row]
        if not relative:
            return now - before
        return now / before - 1 if before != 0 else math.nan

    changed = cell_by_cell(x, change)
    changes = {share: changed[share].tolist() for share in x}

    def score(share: str, row: int) -> float:
        values = changes[share]
        seen = present(trailing(values, row, window))
        if math.isnan(values[row]) or len(seen) < max(min_periods, 2) or min(seen) == max(seen):
            return math.nan
        center = mean(seen)
        variance = math.fsum((value - center) ** 2 for value in seen) / (len(seen) - 1)
        return (values[row] - center) / math.sqrt(variance)

    return cell_by_cell(x, score)
