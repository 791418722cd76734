"""The definition of ``weighted_mean``, by hand."""

import math

import pandas as pd

from oracles import Case, cell_by_cell, labels_of, printed

CASES = (
    Case(("returns", "caps")),
    Case(("returns", "caps"), {"do_reduce": True}),
    Case(("prices", "caps", "sectors")),
    Case(("prices", "caps", "sectors"), {"do_reduce": True}),
    Case(("prices", "caps", "sectors"), {"by": "industry"}),
    Case(("prices", "caps", "sectors"), {"by": "industry", "do_reduce": True}),
    Case(("returns", "traded", "one_column_table")),
    Case(("returns", "caps", "labels_text")),
    Case(("returns", "caps", "labels_text"), {"do_reduce": True}),
    Case(("returns", "traded", "labels_number")),
    Case(("returns", "traded", "labels_number"), {"do_reduce": True}),
    Case(("other_dates", "caps", "labels_number"), {"do_reduce": True}),
    Case(("prices", "other_dates", "sectors")),
    Case(("prices", "counts", "sectors")),
    Case(("counts", "caps")),
    Case(("spiky", "caps", "sectors")),
    Case(("infinite", "caps", "sectors"), {"do_reduce": True}),
    Case(("prices", "infinite")),
    Case(("single_row", "caps", "sectors")),
    Case(("single_row", "caps", "labels_number"), {"do_reduce": True}),
    Case(("prices", "single_row"), {"do_reduce": True}),
    Case(("prices", "all_missing")),
    Case(("all_missing", "caps", "sectors")),
    Case(("no_rows", "caps", "sectors")),
    Case(("lone", "caps")),
)


def oracle(
    x: pd.DataFrame,
    weights: pd.DataFrame,
    groups: pd.DataFrame | None = None,
    do_reduce: bool = False,
    by: str | None = None,
) -> pd.DataFrame:
    labels = labels_of(x, groups, by)
    values = {share: x[share].tolist() for share in x}
    weight_of = {share: weights[share].tolist() for share in x}

    def average(label: object, row: int) -> float:
        seen = [
            (weight_of[share][row], values[share][row])
            for share in x
            if labels[share, row] == label
            and weight_of[share][row] > 0
            and not math.isnan(values[share][row])
        ]
        if not seen:
            return math.nan
        return math.fsum(w * value for w, value in seen) / math.fsum(w for w, _ in seen)

    if do_reduce:
        occurring = sorted({label for label in labels.values() if label is not None})
        return pd.DataFrame(
            {printed(label): [average(label, row) for row in range(len(x))] for label in occurring},
            index=x.index,
        )

    def of_its_group(share: str, row: int) -> float:
        label = labels[share, row]
        has_none = label is None or math.isnan(values[share][row])
        return math.nan if has_none else average(label, row)

    return cell_by_cell(x, of_its_group)
