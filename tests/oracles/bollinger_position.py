"""The definition of ``bollinger_position``, by hand."""

import math

import pandas as pd

from oracles import Case, cell_by_cell, mean, present, trailing

UNIT = 1.0  # counted in standard deviations

CASES = (
    Case(("prices",)),
    Case(("prices",), {"window": 60, "width": 1.0}),
    Case(("prices",), {"window": 10, "min_periods": 1, "width": 2.5}),
    Case(("prices",), {"window": 10, "min_periods": 11}),
    Case(("prices",), {"window": 1, "min_periods": 1}),
    Case(("prices",), {"window": 2}),
    Case(("prices",), {"window": 300, "min_periods": 200}),
    Case(("prices",), {"window": 1000}),
    Case(("returns",), {"window": 5, "min_periods": 3, "width": 0.5}),
    Case(("levels",), {"min_periods": 10}),
    Case(("counts",), {"window": 7}),
    Case(("spiky",), {"window": 5}),
    Case(("spiky",), {"window": 10, "min_periods": 1}),
    Case(("infinite",), {"window": 5, "min_periods": 2}),
    Case(("single_row",), {"min_periods": 1}),
    Case(("all_missing",), {"window": 2, "min_periods": 1}),
    Case(("no_rows",)),
    Case(("lone",), {"window": 8, "min_periods": 2}),
)


def oracle(
    x: pd.DataFrame, window: int = 20, min_periods: int | None = None, width: float = 2.0
) -> pd.DataFrame:
    least = max(window if min_periods is None else min_periods, 2)
    values = {share: x[share].tolist() for share in x}

    def position(share: str, row: int) -> float:
        value = values[share][row]
        seen = present(trailing(values[share], row, window))
        if math.isnan(value) or len(seen) < least or min(seen) == max(seen):
            return math.nan
        center = mean(seen)
        variance = math.fsum((one - center) ** 2 for one in seen) / (len(seen) - 1)
        return (value - center) / (width * math.sqrt(variance))

    return cell_by_cell(x, position)
