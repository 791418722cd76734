"""The definition of ``scale``, by hand."""

import pandas as pd

from oracles import Case, of_each_cell

CASES = (
    Case(("prices",)),
    Case(("prices",), {"factor": 2.5}),
    Case(("prices",), {"offset": -3.0}),
    Case(("returns",), {"factor": -100.0, "offset": 1.0}),
    Case(("returns",), {"factor": 0.0, "offset": 7.0}),
    Case(("levels",), {"factor": 1e306}),
    Case(("extremes",), {"factor": 1.5, "offset": -1e308}),
    Case(("counts",), {"factor": 0.1}),
    Case(("spiky",), {"factor": 0.01, "offset": 1.0}),
    Case(("infinite",), {"factor": 0.0}),
    Case(("single_row",), {"factor": 3}),
    Case(("all_missing",), {"offset": 1.0}),
    Case(("no_rows",), {"offset": 1.0}),
    Case(("lone",), {"offset": 1.0}),
)


def oracle(x: pd.DataFrame, factor: float = 1.0, offset: float = 0.0) -> pd.DataFrame:
    return of_each_cell(lambda value: factor * value + offset, x)
