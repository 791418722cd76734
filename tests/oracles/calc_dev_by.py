"""The definition of ``calc_dev_by``, by hand."""

import math

import pandas as pd

from oracles import Case, cell_by_cell, labels_of, mean, present, printed

CASES = (
    Case(("prices",)),
    Case(("prices",), {"do_reduce": True}),
    Case(("prices", "sectors")),
    Case(("prices", "sectors"), {"do_reduce": True}),
    Case(("prices", "sectors"), {"by": "industry"}),
    Case(("prices", "sectors"), {"by": "industry", "do_reduce": True}),
    Case(("prices", "sectors"), {"time_varying": False}),
    Case(("returns", "one_column_table")),
    Case(("returns", "one_column_table"), {"do_reduce": True}),
    Case(("prices", "labels_text"), {"time_varying": True}),
    Case(("prices", "labels_text"), {"time_varying": True, "do_reduce": True}),
    Case(("prices", "labels_text")),
    Case(("prices", "labels_number"), {"time_varying": True}),
    Case(("prices", "labels_number"), {"time_varying": True, "do_reduce": True}),
    Case(("other_dates", "labels_number"), {"do_reduce": True}),
    Case(("counts", "sectors")),
    Case(("spiky", "sectors")),
    Case(("infinite", "sectors"), {"do_reduce": True}),
    Case(("single_row", "sectors")),
    Case(("single_row", "labels_number"), {"do_reduce": True}),
    Case(("all_missing", "sectors")),
    Case(("no_rows", "sectors")),
)


def oracle(
    x: pd.DataFrame,
    groups: pd.DataFrame | None = None,
    do_reduce: bool = False,
    time_varying: bool = False,
    by: str | None = None,
) -> pd.DataFrame:
    rows = range(len(x))
    values = {share: x[share].tolist() for share in x}
    labels = labels_of(x, groups, by)

    def group_mean(label: object, row: int) -> float:
        seen = present([values[share][row] for share in x if labels[share, row] == label])
        return mean(seen) if seen else math.nan

    if do_reduce:
        occurring = sorted({label for label in labels.values() if label is not None})
        return pd.DataFrame(
            {printed(label): [group_mean(label, row) for row in rows] for label in occurring},
            index=x.index,
        )

    def deviation(share: str, row: int) -> float:
        label = labels[share, row]
        return math.nan if label is None else values[share][row] - group_mean(label, row)

    return cell_by_cell(x, deviation)
