"""The definition of ``turnover``, by hand."""

import math

import pandas as pd

from oracles import Case, cell_by_cell, finite, mean, trailing

CASES = (
    Case(("traded", "caps")),
    Case(("traded", "caps"), {"window": 20}),
    Case(("traded", "caps"), {"window": 20, "min_periods": 1}),
    Case(("traded", "caps"), {"window": 60, "min_periods": 40}),
    Case(("traded", "caps"), {"window": 10, "min_periods": 11}),
    Case(("traded", "caps"), {"window": 1000, "min_periods": 250}),
    Case(("traded", "other_dates"), {"window": 5, "min_periods": 2}),
    Case(("other_dates", "caps"), {"window": 5, "min_periods": 2}),
    Case(("counts", "caps"), {"window": 7, "min_periods": 3}),
    Case(("traded", "counts"), {"window": 5, "min_periods": 1}),
    Case(("spiky", "caps"), {"window": 5, "min_periods": 2}),
    Case(("infinite", "caps"), {"window": 5, "min_periods": 2}),
    Case(("traded", "infinite"), {"window": 5, "min_periods": 2}),
    Case(("traded", "extremes")),
    Case(("traded", "extremes"), {"window": 5, "min_periods": 1}),
    Case(("single_row", "caps")),
    Case(("single_row", "caps"), {"window": 2}),
    Case(("traded", "single_row")),
    Case(("all_missing", "caps")),
    Case(("no_rows", "caps")),
    Case(("lone", "caps"), {"window": 8, "min_periods": 2}),
)


def oracle(
    traded: pd.DataFrame, cap: pd.DataFrame, window: int = 1, min_periods: int | None = None
) -> pd.DataFrame:
    least = window if min_periods is None else min_periods
    pairs = {
        share: list(zip(traded[share].tolist(), cap[share].tolist(), strict=True))
        for share in traded
    }

    def average(share: str, row: int) -> float:
        seen = [
            value / size
            for value, size in trailing(pairs[share], row, window)
            if size > 0 and not math.isnan(value)
        ]
        seen = [ratio for ratio in seen if math.isfinite(ratio)]
        return finite(mean(seen)) if len(seen) >= least else math.nan

    return cell_by_cell(traded, average)
