"""What holds for the inputs of every operator, done once, before its function runs.

1. Numbers are float64; an infinite value counts as missing (some functions see to that themselves).
2. The first input's dates and shares rule: the other dates x shares inputs are aligned to them,
   missing where they have no value; one with none of the shares is refused. What is irregular by
   declaration stays on its own dates.
3. A further frame of a single column that is none of the shares stands for a factor, such as the
   return of the market: it is the same for every share.
4. A static table (one row a share) goes through as it is, to an input that takes groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from deriv_ops.errors import OperatorError
from deriv_ops.kernels import any_infinite

if TYPE_CHECKING:
    from deriv_ops.operators.declare import Operator


def is_dated(frame: pd.DataFrame) -> bool:
    """Whether a table is dates x shares; else it is a static one, one row a share."""
    return isinstance(frame.index, pd.DatetimeIndex)


def conform(operator: Operator, inputs: Sequence[pd.DataFrame | None]) -> list[pd.DataFrame | None]:
    """Return the inputs as the operator's function takes them; never changes one in place.

    They have infinite values still if the operator says that it takes these.
    """
    conformed: list[pd.DataFrame | None] = []
    rows: pd.Index
    shares: pd.Index
    for position, frame in enumerate(inputs):
        declared = operator.inputs[min(position, len(operator.inputs) - 1)]
        if frame is None and not declared.required:
            conformed.append(None)
            continue
        subject = f"{operator.name}: input {declared.name!r}"
        if not isinstance(frame, pd.DataFrame):
            raise OperatorError(f"{subject} is a {type(frame).__name__}, not a DataFrame")
        if declared.kind != "groups":
            frame = _numbers(frame, subject)
            frame = frame if operator.takes_infinite else _without_infinite(frame)
        elif is_dated(frame):
            frame = _without_infinite(frame)
        if position == 0:
            rows, shares = frame.index, frame.columns
        elif declared.kind == "frame" and frame.shape[1] == 1 and frame.columns[0] not in shares:
            frame = _spread(frame, rows, shares)
        elif declared.kind != "irregular" and is_dated(frame):
            refuse_strangers(operator, position, frame.columns, shares)
            frame = _aligned(frame, rows, shares)
        # Another object, with the same numbers: what an operator hands on is not the input itself.
        conformed.append(frame.copy(deep=False))
    return conformed


def refuse_strangers(
    operator: Operator, position: int, columns: pd.Index, shares: pd.Index
) -> None:
    """Refuse a further input, dates x shares, that has none of the shares of the first one.

    It may be the means of sectors, taken for those of the shares: all would be missing. Raises
    `OperatorError`.
    """
    declared = operator.inputs[min(position, len(operator.inputs) - 1)]
    if declared.kind == "irregular" or not len(shares) or not len(columns):
        return
    # Mostly they are the same, which is told at once.
    if not (columns.equals(shares) or columns.isin(shares).any()):
        these, those = (", ".join(map(str, labels[:3])) for labels in (columns, shares))
        raise OperatorError(
            f"{operator.name}: input {declared.name!r} has none of the shares of the first input: "
            f"{these} ... are not among {those} ..."
        )


def refuse_text(subject: str, columns: Sequence[str]) -> None:
    """Refuse an input that isn't numbers in some columns. Raises `OperatorError`."""
    if columns:
        raise OperatorError(f"{subject} isn't numbers in the columns {', '.join(columns[:5])}")


def _numbers(frame: pd.DataFrame, subject: str) -> pd.DataFrame:
    if not is_dated(frame):
        raise OperatorError(f"{subject} has no dates: it takes dates x shares, not a static table")
    dtypes = frame.dtypes
    if not (dtypes == np.float64).all():
        text = [str(c) for c, t in dtypes.items() if not pd.api.types.is_numeric_dtype(t)]
        refuse_text(subject, text)
        frame = frame.astype("float64")
    return frame


def _without_infinite(frame: pd.DataFrame) -> pd.DataFrame:
    floats = frame.select_dtypes(include=[np.floating]) if _is_mixed(frame) else frame
    array = floats.to_numpy()
    if array.dtype == np.float64 and not any_infinite(array.ravel(order="K")):
        return frame
    infinite = np.isinf(array)
    if not infinite.any():
        return frame
    if floats.shape == frame.shape:
        return frame.mask(infinite)
    return frame.assign(**{str(c): floats[c].mask(infinite[:, i]) for i, c in enumerate(floats)})


def _is_mixed(frame: pd.DataFrame) -> bool:
    return any(getattr(dtype, "kind", "O") != "f" for dtype in frame.dtypes.unique())


def _aligned(frame: pd.DataFrame, rows: pd.Index, shares: pd.Index) -> pd.DataFrame:
    if frame.index.equals(rows) and frame.columns.equals(shares):
        return frame
    return frame.reindex(index=rows, columns=shares)


def _spread(frame: pd.DataFrame, rows: pd.Index, shares: pd.Index) -> pd.DataFrame:
    factor = frame.reindex(index=rows).to_numpy()
    return pd.DataFrame(np.repeat(factor, len(shares), axis=1), rows, shares)
