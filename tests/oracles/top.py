"""The definition of ``top``, by hand."""

import math

import pandas as pd

from oracles import Case, cell_by_cell

CASES = (
    Case(("prices",), {"count": 1}),
    Case(("prices",), {"count": 5}),
    Case(("prices",), {"count": 12}),
    Case(("prices",), {"count": 100}),
    Case(("returns",), {"count": 3}),
    Case(("counts",), {"count": 1}),
    Case(("counts",), {"count": 4}),
    Case(("spiky",), {"count": 2}),
    Case(("infinite",), {"count": 3}),
    Case(("sparse_dates",), {"count": 2}),
    Case(("single_row",), {"count": 3}),
    Case(("all_missing",), {"count": 1}),
    Case(("no_rows",), {"count": 1}),
    Case(("lone",), {"count": 1}),
)


def oracle(x: pd.DataFrame, count: int) -> pd.DataFrame:
    values = {share: x[share].tolist() for share in x}

    def among_them(share: str, row: int) -> float:
        value = values[share][row]
        if math.isnan(value):
            return math.nan
        larger = sum(values[other][row] > value for other in x)
        return 1.0 if larger < count else 0.0

    return cell_by_cell(x, among_them)
