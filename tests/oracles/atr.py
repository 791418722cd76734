"""The definition of ``atr``, by hand."""

import math

import pandas as pd

from oracles import Case, cell_by_cell, ew_mean, present

CASES = (
    Case(("high", "low", "prices")),
    Case(("high", "low", "prices"), {"period": 250}),
    Case(("high", "low", "prices"), {"period": 300}),
    Case(("high", "low", "spiky"), {"period": 1}),
    Case(("infinite", "low", "prices"), {"period": 3}),
    Case(("high", "low", "infinite"), {"period": 3}),
    Case(("spiky", "low", "prices"), {"period": 5}),
    Case(("counts", "counts", "counts"), {"period": 2}),
    Case(("sparse_dates", "low", "prices"), {"period": 2}),
    Case(("sparse_dates", "low", "other_dates"), {"period": 1}),
    Case(("single_row", "low", "prices"), {"period": 1}),
    Case(("single_row", "low", "prices")),
    Case(("spiky", "low", "all_missing"), {"period": 4}),
    Case(("all_missing", "low", "prices"), {"period": 1}),
    Case(("no_rows", "low", "prices")),
    Case(("lone", "lone", "lone"), {"period": 1}),
)


def oracle(
    high: pd.DataFrame, low: pd.DataFrame, close: pd.DataFrame, period: int = 14
) -> pd.DataFrame:
    highs, lows, closes = ({share: t[share].tolist() for share in high} for t in (high, low, close))

    def true_range(share: str, row: int) -> float:
        above, below = highs[share][row], lows[share][row]
        before = closes[share][row - 1] if row > 0 else math.nan
        if math.isnan(above) or math.isnan(below):
            return math.nan
        if math.isnan(before):
            return above - below
        return max(above - below, abs(above - before), abs(below - before))

    table = cell_by_cell(high, true_range)
    ranges = {share: table[share].tolist() for share in table}

    def average(share: str, row: int) -> float:
        values = ranges[share]
        if math.isnan(values[row]) or len(present(values[: row + 1])) < period:
            return math.nan
        return ew_mean(values, row, 1 - 1 / period)

    return cell_by_cell(high, average)
