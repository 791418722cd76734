"""The definition of ``ewmmean``."""

import math

import pandas as pd

from oracles import Case, cell_by_cell, ew_mean

CASES = (
    Case(("prices",), {"span": 20}),
    Case(("returns",), {"span": 60, "min_periods": 60}),
    Case(("returns",), {"span": 5, "min_periods": 1}),
    Case(("returns",), {"span": 1}),
    Case(("counts",), {"span": 7.5}),
    Case(("spiky",), {"span": 10}),
    Case(("infinite",), {"span": 10}),
    Case(("single_row",), {"span": 10}),
    Case(("all_missing",), {"span": 10}),
    Case(("no_rows",), {"span": 10}),
    Case(("lone",), {"span": 5}),
)


def oracle(x: pd.DataFrame, span: float, min_periods: int = 0) -> pd.DataFrame:
    decay = 1 - 2 / (span + 1)
    values = {share: x[share].tolist() for share in x}

    def weighted(share: str, row: int) -> float:
        seen = [at for at in range(row + 1) if not math.isnan(values[share][at])]
        if len(seen) < max(min_periods, 1):
            return math.nan
        # Held over rows without an observation; all that has come since has the same age.
        return ew_mean(values[share], seen[-1], decay)

    return cell_by_cell(x, weighted)
