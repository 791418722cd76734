"""The definition of ``transform``, by hand."""

import math

import pandas as pd

from oracles import Case, of_each_cell

FUNCTIONS = ("abs", "log", "sqrt", "sign", "square", "reciprocal", "exp")

CASES = (
    *(Case(("returns",), {"function": function}) for function in FUNCTIONS),
    *(Case(("counts",), {"function": function}) for function in FUNCTIONS),
    *(Case(("extremes",), {"function": function}) for function in FUNCTIONS),
    Case(("prices",), {"function": "log"}),
    Case(("levels",), {"function": "exp"}),
    Case(("spiky",), {"function": "sqrt"}),
    Case(("infinite",), {"function": "reciprocal"}),
    Case(("infinite",), {"function": "sign"}),
    Case(("single_row",), {"function": "square"}),
    Case(("all_missing",), {"function": "exp"}),
    Case(("no_rows",), {"function": "log"}),
    Case(("lone",), {"function": "abs"}),
)


def oracle(x: pd.DataFrame, function: str) -> pd.DataFrame:
    def transformed(value: float) -> float:
        if math.isnan(value):
            return math.nan
        match function:
            case "abs":
                return abs(value)
            case "log":
                return math.log(value) if value > 0 else math.nan
            case "sqrt":
                return math.sqrt(value) if value >= 0 else math.nan
            case "sign":
                return float((value > 0) - (value < 0))
            case "square":
                return value * value
            case "reciprocal":
                return 1 / value if value != 0 else math.nan
            case "exp":
                return math.exp(value)
        raise ValueError(function)

    return of_each_cell(transformed, x)
