"""The definition of ``calc_dev_by``, by hand."""

import math

import pandas as pd

from oracles import Case, cell_by_cell, mean

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
    def group(share: str, row: int) -> object:
        """The share's group on that date, None if it has none."""
        if groups is None:
            return "universe"
        if isinstance(groups.index, pd.DatetimeIndex):
            label = groups[share].iloc[row]
        elif share in groups.index:
            column = by or ("sector" if "sector" in groups else groups.columns[0])
            label = groups.loc[share, column]
        else:
            return None
        return None if pd.isna(label) else label

    rows = range(len(x))
    labels = {(share, row): group(share, row) for share in x for row in rows}

    def group_mean(label: object, row: int) -> float:
        values = [x[share].iloc[row] for share in x if labels[share, row] == label]
        seen = [value for value in values if not math.isnan(value)]
        return mean(seen) if seen else math.nan

    if do_reduce:
        occurring = sorted({label for label in labels.values() if label is not None})
        return pd.DataFrame(
            {printed(label): [group_mean(label, row) for row in rows] for label in occurring},
            index=x.index,
        )

    def deviation(share: str, row: int) -> float:
        label = labels[share, row]
        return math.nan if label is None else x[share].iloc[row] - group_mean(label, row)

    return cell_by_cell(x, deviation)


def printed(label: object) -> str:
    """A group's column name: the label as text, a whole number without its ``.0``."""
    return f"{label:.0f}" if isinstance(label, float) and label.is_integer() else str(label)
