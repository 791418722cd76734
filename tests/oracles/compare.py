"""The definition of ``compare``, by hand."""

import math

import pandas as pd

from oracles import Case, of_each_cell

CASES = (
    *(
        Case(("counts", "labels_number"), {"how": how})
        for how in (">", ">=", "<", "<=", "==", "!=")
    ),
    Case(("high", "prices"), {"how": ">="}),
    Case(("low", "prices"), {"how": "<"}),
    Case(("prices", "prices"), {"how": "=="}),
    Case(("prices", "prices"), {"how": "!="}),
    Case(("returns", "market"), {"how": ">"}),
    Case(("prices", "other_dates"), {"how": ">"}),
    Case(("other_dates", "prices"), {"how": "<="}),
    Case(("extremes", "counts"), {"how": "=="}),
    Case(("spiky", "prices"), {"how": "!="}),
    Case(("infinite", "prices"), {"how": "=="}),
    Case(("prices", "infinite"), {"how": "!="}),
    Case(("infinite", "infinite"), {"how": ">="}),
    Case(("single_row", "prices"), {"how": "<="}),
    Case(("prices", "single_row"), {"how": "!="}),
    Case(("all_missing", "prices"), {"how": "!="}),
    Case(("no_rows", "prices"), {"how": ">"}),
    Case(("lone", "prices"), {"how": "<"}),
)


def oracle(x: pd.DataFrame, y: pd.DataFrame, how: str) -> pd.DataFrame:
    def compared(one: float, other: float) -> float:
        if math.isnan(one) or math.isnan(other):
            return math.nan
        holds = {
            ">": one > other,
            ">=": one >= other,
            "<": one < other,
            "<=": one <= other,
            "==": one == other,
            "!=": one != other,
        }
        return 1.0 if holds[how] else 0.0

    return of_each_cell(compared, x, y)
