"""The definition of ``rsi``, by hand."""

import math

import pandas as pd

from oracles import Case, cell_by_cell, ew_mean, present

UNIT = 100.0  # the scale goes from 0 to 100

CASES = (
    Case(("prices",)),
    Case(("returns",), {"period": 60}),
    Case(("prices",), {"period": 300}),
    Case(("spiky",), {"period": 1}),
    Case(("spiky",), {"period": 5}),
    Case(("counts",)),
    Case(("counts",), {"period": 2}),
    Case(("infinite",)),
    Case(("infinite",), {"period": 3}),
    Case(("sparse_dates",), {"period": 2}),
    Case(("single_row",)),
    Case(("single_row",), {"period": 1}),
    Case(("all_missing",), {"period": 1}),
    Case(("no_rows",)),
    Case(("lone",), {"period": 1}),
)


def oracle(x: pd.DataFrame, period: int = 14) -> pd.DataFrame:
    decay = 1 - 1 / period
    changes = {share: x[share].diff().tolist() for share in x}
    # 0 * d is 0, or missing like d.
    gains = {share: [d if d > 0 else 0 * d for d in changes[share]] for share in x}
    losses = {share: [-d if d < 0 else 0 * d for d in changes[share]] for share in x}

    def strength(share: str, row: int) -> float:
        if math.isnan(changes[share][row]) or len(present(changes[share][: row + 1])) < period:
            return math.nan
        gain, loss = ew_mean(gains[share], row, decay), ew_mean(losses[share], row, decay)
        return 100 * gain / (gain + loss) if gain + loss != 0 else math.nan

    return cell_by_cell(x, strength)
