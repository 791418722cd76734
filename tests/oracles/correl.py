"""The definition of ``correl``, by hand."""

import math

import pandas as pd

from oracles import Case, cell_by_cell, mean, trailing

UNIT = 1.0  # of a correlation

CASES = (
    Case(("prices", "returns"), {"window": 20}),
    Case(("prices", "returns"), {"window": 20, "min_periods": 1}),
    Case(("prices", "returns"), {"window": 2, "min_periods": 2}),
    Case(("prices", "returns"), {"window": 1}),
    Case(("prices", "prices"), {"window": 30, "min_periods": 10}),
    Case(("returns", "levels"), {"window": 60, "min_periods": 30}),
    Case(("prices", "returns"), {"window": 1000}),
    Case(("prices", "returns"), {"window": 1000, "min_periods": 40}),
    Case(("prices", "other_dates"), {"window": 40, "min_periods": 5}),
    Case(("other_dates", "prices"), {"window": 40, "min_periods": 5}),
    Case(("returns", "counts"), {"window": 10, "min_periods": 3}),
    Case(("spiky", "returns"), {"window": 10, "min_periods": 3}),
    Case(("returns", "spiky"), {"window": 10, "min_periods": 3}),
    Case(("infinite", "prices"), {"window": 10, "min_periods": 3}),
    Case(("prices", "infinite"), {"window": 10, "min_periods": 3}),
    Case(("single_row", "prices"), {"window": 10}),
    Case(("prices", "single_row"), {"window": 10, "min_periods": 1}),
    Case(("all_missing", "prices"), {"window": 10}),
    Case(("no_rows", "prices"), {"window": 10}),
)


def oracle(
    x: pd.DataFrame, y: pd.DataFrame, window: int, min_periods: int | None = None
) -> pd.DataFrame:
    least = max(window if min_periods is None else min_periods, 2)

    pairs = {share: list(zip(x[share].tolist(), y[share].tolist(), strict=True)) for share in x}

    def correlation(share: str, row: int) -> float:
        around = trailing(pairs[share], row, window)
        seen = [(a, b) for a, b in around if not (math.isnan(a) or math.isnan(b))]
        if len(seen) < least:
            return math.nan
        one, other = zip(*seen, strict=True)
        if min(one) == max(one) or min(other) == max(other):
            return math.nan
        mean_one, mean_other = mean(one), mean(other)
        together = math.fsum((a - mean_one) * (b - mean_other) for a, b in seen)
        spread_one = math.fsum((a - mean_one) ** 2 for a in one)
        spread_other = math.fsum((b - mean_other) ** 2 for b in other)
        return min(1.0, max(-1.0, together / math.sqrt(spread_one * spread_other)))

    return cell_by_cell(x, correlation)
