"""The definition of ``drawdown``, by hand."""

import math

import pandas as pd

from oracles import Case, cell_by_cell, finite, present, trailing

UNIT = 1.0  # a drawdown is a part of the maximum: 1 less a quotient, rounded like the 1

CASES = (
    Case(("prices",)),
    Case(("prices",), {"window": 20}),
    Case(("prices",), {"window": 1}),
    Case(("prices",), {"window": 300}),
    Case(("prices",), {"window": 1000}),
    Case(("returns",)),
    Case(("returns",), {"window": 3}),
    Case(("counts",)),
    Case(("counts",), {"window": 4}),
    Case(("spiky",)),
    Case(("spiky",), {"window": 10}),
    Case(("infinite",)),
    Case(("infinite",), {"window": 5}),
    Case(("sparse_dates",), {"window": 3}),
    Case(("single_row",)),
    Case(("all_missing",)),
    Case(("no_rows",)),
    Case(("lone",)),
    Case(("lone",), {"window": 2}),
)


def oracle(x: pd.DataFrame, window: int | None = None) -> pd.DataFrame:
    values = {share: x[share].tolist() for share in x}

    def fall(share: str, row: int) -> float:
        value = values[share][row]
        if math.isnan(value):
            return math.nan
        highest = max(present(trailing(values[share], row, window)))
        return finite(value / highest - 1) if highest > 0 else math.nan

    return cell_by_cell(x, fall)
