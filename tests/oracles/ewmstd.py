"""The definition of ``ewmstd``: the weighted formula that the recursion of pandas stands for.

The recursion rounds its running mean at every row, by one part in 10^16 of the level, and that
goes into the deviation: on the frames here it stays below 10^-13, but of values a million times
larger than their deviation no more than ten digits could agree.
"""

import math

import pandas as pd

from oracles import Case, cell_by_cell

CASES = (
    Case(("prices",), {"span": 20}),
    Case(("prices",), {"span": 1000}),
    Case(("returns",), {"span": 60, "min_periods": 60}),
    Case(("returns",), {"span": 5, "min_periods": 1}),
    Case(("returns",), {"span": 20, "min_periods": 250, "annualize": True}),
    Case(("returns",), {"span": 20, "min_periods": 1000}),
    Case(("returns",), {"span": 7.5, "annualize": True}),
    Case(("counts",), {"span": 10}),
    Case(("spiky",), {"span": 10}),
    Case(("infinite",), {"span": 10}),
    Case(("single_row",), {"span": 10}),
    Case(("all_missing",), {"span": 10}),
    Case(("no_rows",), {"span": 10}),
    Case(("lone",), {"span": 5}),
)


def oracle(
    x: pd.DataFrame, span: float, min_periods: int = 0, annualize: bool = False
) -> pd.DataFrame:
    decay = 1 - 2 / (span + 1)
    scale = math.sqrt(260) if annualize else 1.0

    values = {share: x[share].tolist() for share in x}

    def deviation(share: str, row: int) -> float:
        history = values[share][: row + 1]
        # An observation's weight is by its age in rows, and missing rows count (ignore_na=False).
        seen = [
            (decay ** (row - at), value)
            for at, value in enumerate(history)
            if not math.isnan(value)
        ]
        if len(seen) < max(min_periods, 2):
            return math.nan
        # A shift leaves a variance as it is; with it, a constant history gives exactly 0.
        origin = seen[-1][1]
        total = math.fsum(weight for weight, _ in seen)
        squares = math.fsum(weight**2 for weight, _ in seen)
        mean = math.fsum(weight * (value - origin) for weight, value in seen) / total
        spread = math.fsum(weight * (value - origin - mean) ** 2 for weight, value in seen)
        return scale * math.sqrt(spread / (total - squares / total))  # bias=False

    return cell_by_cell(x, deviation)
