"""The definition of ``ewmcorr``.

Of a history that hardly moves for many times the span no digits are left: the recursion of pandas,
which is the operator's, rounds its means to one part in 10^16 of their level. So no case has one.
"""

import math

import pandas as pd

from oracles import Case, cell_by_cell, product

CASES = (
    Case(("prices", "returns"), {"span": 20}),
    Case(("returns", "prices"), {"span": 60, "min_periods": 30}),
    Case(("returns", "counts"), {"span": 5, "min_periods": 1}),
    Case(("counts", "returns"), {"span": 7, "min_periods": 4}),
    Case(("returns", "market"), {"span": 30, "min_periods": 10}),
    Case(("other_dates", "returns"), {"span": 10, "min_periods": 5}),
    Case(("infinite", "prices"), {"span": 10, "min_periods": 5}),
    Case(("prices", "returns"), {"span": 40, "min_periods": 20}),
    Case(("single_row", "prices"), {"span": 1}),
    Case(("all_missing", "prices"), {"span": 3, "min_periods": 1}),
    Case(("no_rows", "prices"), {"span": 3}),
    Case(("lone", "lone"), {"span": 5, "min_periods": 2}),
)


# Correlations are of order one.
UNIT = 1.0


def oracle(x: pd.DataFrame, y: pd.DataFrame, span: float, min_periods: int = 0) -> pd.DataFrame:
    decay = 1 - 2 / (span + 1)
    both = {share: list(zip(x[share].tolist(), y[share].tolist(), strict=True)) for share in x}

    def correlation(share: str, row: int) -> float:
        pairs = both[share][: row + 1]
        seen = [at for at, pair in enumerate(pairs) if not any(map(math.isnan, pair))]
        if len(seen) < max(min_periods, 2):
            return math.nan
        weights = [decay ** (seen[-1] - at) for at in seen]
        moved = []
        for side in (0, 1):
            values = [pairs[at][side] - pairs[seen[-1]][side] for at in seen]
            center = product(weights, values) / math.fsum(weights)
            moved.append([value - center for value in values])
        spreads = [
            math.fsum(w * m * m for w, m in zip(weights, side, strict=True)) for side in moved
        ]
        if 0 in spreads:
            return math.nan
        joint = math.fsum(w * a * b for w, a, b in zip(weights, *moved, strict=True))
        return max(-1.0, min(1.0, joint / math.sqrt(spreads[0]) / math.sqrt(spreads[1])))

    return cell_by_cell(x, correlation)
