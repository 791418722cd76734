"""The definition of ``quantile_bucket``, by hand."""

import pandas as pd

from oracles import Case, within_groups

CASES = (
    Case(("prices",)),
    Case(("prices",), {"buckets": 2}),
    Case(("prices",), {"buckets": 10}),
    Case(("returns",), {"buckets": 3}),
    Case(("returns",), {"buckets": 100}),
    Case(("prices", "sectors"), {"buckets": 2}),
    Case(("prices", "sectors"), {"by": "industry", "buckets": 4}),
    Case(("returns", "one_column_table")),
    Case(("returns", "labels_text")),
    Case(("counts", "labels_number"), {"buckets": 3}),
    Case(("counts",)),
    Case(("counts",), {"buckets": 4}),
    Case(("other_dates", "labels_number")),
    Case(("spiky", "sectors")),
    Case(("infinite",)),
    Case(("single_row",)),
    Case(("single_row", "labels_number")),
    Case(("all_missing", "sectors")),
    Case(("no_rows", "sectors")),
    Case(("lone",)),
)


def oracle(
    x: pd.DataFrame,
    groups: pd.DataFrame | None = None,
    buckets: int = 5,
    by: str | None = None,
) -> pd.DataFrame:
    def bucket(value: float, group: list[float]) -> float:
        smaller = sum(other < value for other in group)
        equal = sum(other == value for other in group)
        # Twice the rank is a whole number even for ties: nothing is rounded.
        twice_the_rank = 2 * smaller + equal + 1
        return float(buckets * (twice_the_rank - 1) // (2 * len(group)))

    return within_groups(x, groups, by, bucket)
