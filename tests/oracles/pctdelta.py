"""The definition of ``pctdelta``, by hand."""

import math

import pandas as pd

from oracles import Case, cell_by_cell

CASES = (
    Case(("prices",)),
    Case(("prices",), {"period": 5}),
    Case(("prices",), {"period": 299}),
    Case(("prices",), {"period": 300}),
    Case(("prices",), {"period": 1000}),
    Case(("returns",), {"period": 2}),
    Case(("counts",), {"period": 1}),
    Case(("spiky",), {"period": 1}),
    Case(("infinite",), {"period": 3}),
    Case(("sparse_dates",), {"period": 1}),
    Case(("single_row",), {"period": 1}),
    Case(("all_missing",), {"period": 1}),
    Case(("no_rows",), {"period": 1}),
)


def oracle(x: pd.DataFrame, period: int = 1) -> pd.DataFrame:
    values = {share: x[share].tolist() for share in x}

    def change(share: str, row: int) -> float:
        if row < period:
            return math.nan
        before, now = values[share][row - period], values[share][row]
        return now / before - 1 if before != 0 else math.nan

    return cell_by_cell(x, change)
