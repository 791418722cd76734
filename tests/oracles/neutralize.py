"""The definition of ``neutralize``: projections, with digits enough for any cancellation."""

import math
from decimal import Decimal, localcontext

import pandas as pd

from oracles import Case, cell_by_cell

# Equal values leave exactly 0, and arithmetic leaves what it rounds them by: what is neutralized
# here are daily returns, of about this size, and larger values.
UNIT = 0.01

CASES = (
    Case(("returns", "levels")),
    Case(("returns", "levels", "prices")),
    Case(("returns", "levels", "prices", "labels_number")),
    # Collinear: twice the same exposure, and one that is the same for all shares.
    Case(("returns", "levels", "levels")),
    Case(("returns", "market")),
    Case(("returns", "levels", "market")),
    Case(("prices",)),
    Case(("prices", "returns")),
    Case(("prices", "other_dates")),
    Case(("other_dates", "returns")),
    Case(("prices", "counts", "returns")),
    Case(("counts", "prices")),
    Case(("spiky", "returns")),
    Case(("returns", "spiky")),
    Case(("infinite", "returns", "levels")),
    Case(("returns", "infinite")),
    Case(("single_row", "levels")),
    Case(("returns", "single_row")),
    Case(("prices", "all_missing")),  # the shares that are left are too few
    Case(("all_missing", "prices")),
    Case(("no_rows", "prices")),
    Case(("lone", "prices")),
)

Vector = list[Decimal]


def oracle(x: pd.DataFrame, *exposures: pd.DataFrame) -> pd.DataFrame:
    residuals: dict[tuple[str, int], float] = {}
    for row in range(len(x)):
        tables = [table.iloc[row] for table in (x, *exposures)]
        shares = [share for share in x if not any(math.isnan(table[share]) for table in tables)]
        if len(shares) < len(exposures) + 2:  # the regressors, intercept included, and one
            continue
        with localcontext(prec=100):
            intercept = [Decimal(1)] * len(shares)
            values, *regressors = ([Decimal(table[share]) for share in shares] for table in tables)
            left = residual(values, [intercept, *regressors])
        residuals.update({(share, row): float(d) for share, d in zip(shares, left, strict=True)})
    return cell_by_cell(x, lambda share, row: residuals.get((share, row), math.nan))


def residual(values: Vector, regressors: list[Vector]) -> Vector:
    """What is left of the values perpendicular to all of the regressors (Gram and Schmidt)."""
    basis: list[Vector] = []
    for regressor in regressors:
        direction = perpendicular(regressor, basis)
        # What a collinear regressor leaves is 0 but for the rounding of the hundredth digit.
        if dot(direction, direction) > Decimal("1e-80") * dot(regressor, regressor):
            basis.append(direction)
    return perpendicular(values, basis)


def perpendicular(vector: Vector, basis: list[Vector]) -> Vector:
    for direction in basis:
        slope = dot(vector, direction) / dot(direction, direction)
        vector = [a - slope * b for a, b in zip(vector, direction, strict=True)]
    return vector


def dot(one: Vector, other: Vector) -> Decimal:
    return sum((a * b for a, b in zip(one, other, strict=True)), Decimal(0))
