"""The definition of ``amihud``, by hand."""

import math

import pandas as pd

from oracles import Case, cell_by_cell, finite, mean, trailing

CASES = (
    Case(("returns", "traded")),
    Case(("returns", "traded"), {"window": 60, "min_periods": 1}),
    Case(("returns", "traded"), {"window": 10, "min_periods": 8}),
    Case(("returns", "traded"), {"window": 10, "min_periods": 11}),
    Case(("returns", "traded"), {"window": 1}),
    Case(("returns", "traded"), {"window": 300, "min_periods": 250}),
    Case(("returns", "traded"), {"window": 1000, "min_periods": 20}),
    Case(("other_dates", "traded"), {"window": 5, "min_periods": 2}),
    Case(("returns", "other_dates"), {"window": 10, "min_periods": 2}),
    Case(("counts", "traded"), {"window": 7, "min_periods": 3}),
    Case(("returns", "counts"), {"window": 5, "min_periods": 1}),
    Case(("spiky", "traded"), {"window": 5, "min_periods": 2}),
    Case(("infinite", "traded"), {"window": 5, "min_periods": 2}),
    Case(("returns", "infinite"), {"window": 5, "min_periods": 2}),
    Case(("returns", "extremes"), {"window": 1}),
    Case(("returns", "extremes"), {"window": 5, "min_periods": 1}),
    Case(("single_row", "traded"), {"min_periods": 1}),
    Case(("returns", "single_row"), {"min_periods": 1}),
    Case(("all_missing", "traded"), {"min_periods": 1}),
    Case(("no_rows", "traded")),
    Case(("lone", "traded"), {"window": 3, "min_periods": 1}),
)


def oracle(
    returns: pd.DataFrame, traded: pd.DataFrame, window: int = 20, min_periods: int | None = None
) -> pd.DataFrame:
    least = window if min_periods is None else min_periods
    pairs = {
        share: list(zip(returns[share].tolist(), traded[share].tolist(), strict=True))
        for share in returns
    }

    def illiquidity(share: str, row: int) -> float:
        seen = [
            abs(change) / value
            for change, value in trailing(pairs[share], row, window)
            if value > 0 and not math.isnan(change)
        ]
        seen = [ratio for ratio in seen if math.isfinite(ratio)]
        return finite(mean(seen)) if len(seen) >= least else math.nan

    return cell_by_cell(returns, illiquidity)
