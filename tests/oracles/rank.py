"""The definition of ``rank``, by hand."""

import pandas as pd

from oracles import Case, within_groups

CASES = (
    Case(("prices",)),
    Case(("prices",), {"pct": False}),
    Case(("prices", "sectors")),
    Case(("prices", "sectors"), {"pct": False}),
    Case(("prices", "sectors"), {"by": "industry"}),
    Case(("returns", "one_column_table")),
    Case(("returns", "labels_text")),
    Case(("counts", "labels_number")),
    Case(("counts",)),
    Case(("counts", "sectors"), {"pct": False}),
    Case(("other_dates", "labels_number")),
    Case(("spiky", "sectors")),
    Case(("infinite",)),
    Case(("infinite", "sectors")),
    Case(("single_row",)),
    Case(("single_row", "labels_number")),
    Case(("all_missing", "sectors")),
    Case(("no_rows", "sectors")),
    Case(("no_rows",)),
    Case(("lone",)),
)


def oracle(
    x: pd.DataFrame, groups: pd.DataFrame | None = None, pct: bool = True, by: str | None = None
) -> pd.DataFrame:
    def rank(value: float, group: list[float]) -> float:
        smaller = sum(other < value for other in group)
        equal = sum(other == value for other in group)
        # The places smaller + 1 to smaller + equal are shared by the equal ones.
        place = smaller + (equal + 1) / 2
        return place / len(group) if pct else place

    return within_groups(x, groups, by, rank)
