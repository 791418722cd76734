"""The definition of ``as_of``, by hand."""

import math

import pandas as pd

from oracles import Case, cell_by_cell

# The second input keeps its own dates and shares: only its infinite values are made missing.
UNALIGNED = (1,)

CASES = (
    Case(("prices", "monthly")),
    Case(("prices", "monthly"), {"delay": 1}),
    Case(("prices", "monthly"), {"delay": 45}),
    Case(("prices", "monthly"), {"delay": 1000}),
    Case(("prices", "monthly"), {"max_age": 1}),
    Case(("prices", "monthly"), {"max_age": 30}),
    Case(("prices", "monthly"), {"delay": 10, "max_age": 40}),
    Case(("prices", "monthly"), {"delay": 20, "max_age": 5}),
    Case(("prices", "returns")),
    Case(("prices", "returns"), {"delay": 2, "max_age": 4}),
    Case(("every_day", "monthly"), {"max_age": 20}),
    Case(("every_day", "prices"), {"delay": 1}),
    Case(("every_day", "prices"), {"max_age": 1}),
    Case(("prices", "other_dates")),
    Case(("other_dates", "monthly"), {"delay": 3}),
    Case(("sparse_dates", "monthly"), {"max_age": 60}),
    Case(("sparse_dates", "prices"), {"max_age": 5}),
    Case(("counts", "monthly")),
    Case(("infinite", "monthly")),
    Case(("prices", "infinite"), {"max_age": 3}),
    Case(("prices", "sparse_dates")),
    Case(("prices", "single_row"), {"delay": 7}),
    Case(("prices", "all_missing")),
    Case(("prices", "no_rows")),
    Case(("single_row", "monthly")),
    Case(("all_missing", "monthly")),
    Case(("no_rows", "monthly")),
    Case(("lone", "monthly")),
)


def oracle(
    x: pd.DataFrame, table: pd.DataFrame, delay: int = 0, max_age: int | None = None
) -> pd.DataFrame:
    days = [date.toordinal() for date in x.index]
    seen = {
        share: [
            (date.toordinal(), value)
            for date, value in table[share].items()
            if not math.isnan(value)
        ]
        for share in table
    }

    def latest(share: str, row: int) -> float:
        known = [(day, value) for day, value in seen.get(share, []) if day <= days[row] - delay]
        if not known:
            return math.nan
        day, value = known[-1]
        too_old = max_age is not None and days[row] - day > max_age
        return math.nan if too_old else value

    return cell_by_cell(x, latest)
