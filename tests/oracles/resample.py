"""The definition of ``resample``, by hand."""

import math

import pandas as pd

from oracles import Case, cell_by_cell, mean, present

HOW = ("last", "first", "mean", "sum", "min", "max", "std")

CASES = (
    Case(("prices",)),
    *(Case(("returns",), {"how": how}) for how in HOW[1:]),
    *(Case(("spiky",), {"period": "week", "how": how}) for how in HOW),
    *(Case(("every_day",), {"period": "week", "how": how}) for how in ("last", "first", "std")),
    Case(("prices",), {"period": "quarter"}),
    Case(("prices",), {"period": "quarter", "how": "std"}),
    Case(("prices",), {"period": "year"}),
    Case(("prices",), {"period": "year", "how": "mean"}),
    Case(("every_day",)),
    Case(("every_day",), {"period": "quarter", "how": "first"}),
    Case(("sparse_dates",)),
    Case(("sparse_dates",), {"period": "week", "how": "sum"}),
    Case(("sparse_dates",), {"period": "quarter", "how": "mean"}),
    Case(("sparse_dates",), {"period": "year", "how": "std"}),
    Case(("other_dates",), {"how": "max"}),
    Case(("other_dates",), {"period": "week", "how": "sum"}),
    Case(("counts",), {"how": "sum"}),
    Case(("counts",), {"how": "std", "period": "week"}),
    Case(("infinite",), {"period": "week"}),
    Case(("infinite",), {"period": "week", "how": "min"}),
    Case(("single_row",)),
    Case(("all_missing",), {"how": "sum"}),
    Case(("no_rows",)),
    Case(("lone",), {"period": "week"}),
    Case(("lone",), {"period": "week", "how": "std"}),
)


def oracle(x: pd.DataFrame, period: str = "month", how: str = "last") -> pd.DataFrame:
    def number(date: pd.Timestamp) -> int:
        """Of the date's calendar period, counted so that the one before is 1 less."""
        match period:
            case "week":  # weekday() is 0 on a Monday
                return (date.toordinal() - date.weekday()) // 7
            case "month":
                return 12 * date.year + date.month
            case "quarter":
                return 4 * date.year + (date.month - 1) // 3
            case "year":
                return date.year
        raise ValueError(period)

    numbers = [number(date) for date in x.index]
    values = {share: x[share].tolist() for share in x}
    known: dict[tuple[str, int], float] = {}

    def before(share: str, row: int) -> float:
        finished = numbers[row] - 1
        if (share, finished) not in known:
            pairs = zip(numbers, values[share], strict=True)
            seen = present([value for at, value in pairs if at == finished])
            known[share, finished] = statistic(seen, how)
        return known[share, finished]

    return cell_by_cell(x, before)


def statistic(seen: list[float], how: str) -> float:
    if not seen or (how == "std" and len(seen) < 2):
        return math.nan
    match how:
        case "last":
            return seen[-1]
        case "first":
            return seen[0]
        case "mean":
            return mean(seen)
        case "sum":
            return math.fsum(seen)
        case "min":
            return min(seen)
        case "max":
            return max(seen)
        case "std":
            # A shift leaves a deviation as it is; with it, a constant period gives exactly 0.
            shifted = [value - seen[0] for value in seen]
            center = mean(shifted)
            return math.sqrt(math.fsum((s - center) ** 2 for s in shifted) / (len(seen) - 1))
    raise ValueError(how)
