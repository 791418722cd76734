"""The definition of ``delta``."""

import math

import pandas as pd

from oracles import Case, cell_by_cell, finite

CASES = (
    Case(("prices",)),
    Case(("prices",), {"period": 5}),
    Case(("counts",), {"period": 2}),
    Case(("spiky",), {"period": 1}),
    Case(("infinite",), {"period": 3}),
    Case(("returns",), {"period": 400}),
    Case(("single_row",)),
    Case(("all_missing",)),
    Case(("no_rows",)),
    Case(("lone",)),
)


def oracle(x: pd.DataFrame, period: int = 1) -> pd.DataFrame:
    values = {share: x[share].tolist() for share in x}

    def change(share: str, row: int) -> float:
        if row < period:
            return math.nan
        now, before = values[share][row], values[share][row - period]
        return finite(now - before)

    return cell_by_cell(x, change)
