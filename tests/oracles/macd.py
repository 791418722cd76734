"""The definition of ``macd``, by hand."""

import math

import pandas as pd

from oracles import Case, cell_by_cell, ew_mean, present

# Differences of averages: what they are rounded by depends on the averages, and those of the
# prices and levels here go up to a few hundred and thousand while the differences get small.
UNIT = 10.0

CASES = (
    Case(("prices",)),
    Case(("prices",), {"output": "signal"}),
    Case(("prices",), {"output": "histogram"}),
    Case(("spiky",), {"fast": 5, "slow": 10, "signal": 3}),
    Case(("spiky",), {"fast": 5, "slow": 10, "signal": 3, "output": "signal"}),
    Case(("spiky",), {"fast": 5, "slow": 10, "signal": 40, "output": "histogram"}),
    Case(("spiky",), {"fast": 1, "slow": 60, "signal": 1, "output": "histogram"}),
    Case(("counts",), {"fast": 8, "slow": 3, "signal": 2, "output": "signal"}),
    Case(("counts",), {"fast": 3, "slow": 3}),
    Case(("infinite",), {"fast": 2, "slow": 4, "signal": 3}),
    Case(("infinite",), {"fast": 2, "slow": 4, "signal": 3, "output": "signal"}),
    Case(("infinite",), {"fast": 2, "slow": 4, "signal": 3, "output": "histogram"}),
    Case(("sparse_dates",), {"fast": 1, "slow": 2, "signal": 2, "output": "histogram"}),
    Case(("single_row",)),
    Case(("single_row",), {"fast": 1, "slow": 1, "signal": 1, "output": "signal"}),
    Case(("all_missing",), {"fast": 1, "slow": 2}),
    Case(("no_rows",)),
    Case(("no_rows",), {"output": "signal"}),
    Case(("lone",), {"fast": 1, "slow": 2, "signal": 1, "output": "histogram"}),
)


def oracle(
    x: pd.DataFrame, fast: int = 12, slow: int = 26, signal: int = 9, output: str = "line"
) -> pd.DataFrame:
    def average(values: list[float], row: int, span: int, least: int) -> float:
        """Missing where the value is, and until ``least`` values have been seen."""
        if math.isnan(values[row]) or len(present(values[: row + 1])) < least:
            return math.nan
        return ew_mean(values, row, 1 - 2 / (span + 1))

    prices = {share: x[share].tolist() for share in x}

    def difference(share: str, row: int) -> float:
        values = prices[share]
        return average(values, row, fast, slow) - average(values, row, slow, slow)

    line = cell_by_cell(x, difference)
    if output == "line":
        return line
    lines = {share: line[share].tolist() for share in x}
    smooth = cell_by_cell(x, lambda share, row: average(lines[share], row, signal, signal))
    return smooth if output == "signal" else line - smooth
