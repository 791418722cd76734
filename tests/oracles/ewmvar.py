"""The definition of ``ewmvar``."""

import math

import pandas as pd

from oracles import Case, cell_by_cell, product

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

    def variance(share: str, row: int) -> float:
        seen = [at for at in range(row + 1) if not math.isnan(values[share][at])]
        if len(seen) < max(min_periods, 2):
            return math.nan
        weights = [decay ** (seen[-1] - at) for at in seen]
        moved = [values[share][at] - values[share][seen[-1]] for at in seen]
        total = math.fsum(weights)
        center = product(weights, moved) / total
        spread = math.fsum(w * (m - center) ** 2 for w, m in zip(weights, moved, strict=True))
        rest = total - math.fsum(w * w for w in weights) / total
        return spread / rest if rest > 0 else math.nan

    return cell_by_cell(x, variance)
