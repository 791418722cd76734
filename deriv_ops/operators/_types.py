"""Parameter types that several operators share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from annotated_types import Ge

# A number of rows of a window or a lag.
Rows: TypeAlias = Annotated[int, Ge(1)]
# How many observations must be there.
Observations: TypeAlias = Annotated[int, Ge(0)]
