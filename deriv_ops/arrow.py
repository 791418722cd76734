"""Frames of numbers as Arrow tables and back, with one copy each way.

What pandas does by column takes longer than most operators do. For a frame that is all of one
float type, which nearly every result is, all columns share one buffer, missing values stay NaN
(so no column has a mask), and the description of the columns is that of one of them, repeated.
Other frames go through pandas. Either way the table is what pandas would write, and any reader of
Parquet gives the frame back, with its dates, its tickers and the names of both.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from deriv_ops.kernels.layout import transposed


def to_table(frame: pd.DataFrame) -> pa.Table:
    """Return a frame as a table."""
    if not _is_plain(frame):
        return pa.Table.from_pandas(frame)
    values = frame.to_numpy()
    if values.dtype == np.float64 and values.flags.c_contiguous:
        by_column = transposed(values)
    else:
        by_column = np.ascontiguousarray(values.T)
    return table_of_columns(by_column, frame.index, frame.columns)


def table_of_columns(by_column: np.ndarray, dates: pd.Index, columns: pd.Index) -> pa.Table:
    """Return an array that has a row for each column of a frame as that frame's table."""
    model = pd.DataFrame({columns[0]: by_column[0]}, index=dates)
    model.columns = columns[:1]
    kind = pa.from_numpy_dtype(by_column.dtype)
    rows = len(dates)
    buffer, size = pa.py_buffer(by_column), rows * by_column.itemsize
    arrays = [
        pa.Array.from_buffers(kind, rows, [None, buffer.slice(at * size, size)])
        for at in range(len(columns))
    ]
    index = pa.Table.from_pandas(model).columns[1:]
    return pa.Table.from_arrays([*arrays, *index], schema=_schema(model, columns, kind))


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Return a table as a frame; numbers lie in memory row by row, as kernels take them."""
    description = json.loads((table.schema.metadata or {}).get(b"pandas", b"{}"))
    # A range of numbers is described in place of a column that holds it.
    index = [name for name in description.get("index_columns", []) if isinstance(name, str)]
    columns = table.num_columns - len(index)
    labels = [names["pandas_type"] for names in description.get("column_indexes", [])]
    values = [table.column(at) for at in range(columns)]
    plain = all(v.type == pa.float64() and v.num_chunks == 1 and not v.null_count for v in values)
    if not (plain and index and columns and labels == ["unicode"]):
        frame: pd.DataFrame = table.to_pandas()
        return frame
    by_column = np.empty((columns, table.num_rows))
    for at, value in enumerate(values):
        by_column[at] = value.chunk(0).to_numpy()
    # One column with the index tells all but the numbers: the dates, and the names of both axes.
    one = table.select([0, *range(columns, table.num_columns)]).to_pandas()
    names = pd.Index(table.column_names[:columns], dtype=one.columns.dtype, name=one.columns.name)
    return pd.DataFrame(transposed(by_column), one.index, names, copy=False)


def _is_plain(frame: pd.DataFrame) -> bool:
    """Whether a frame is of one float type, its columns and its index of one level, of text."""
    dtypes = frame.dtypes.unique()
    return (
        len(dtypes) == 1
        and dtypes[0] in (np.float64, np.float32)
        and isinstance(frame.index, pd.DatetimeIndex)
        and pd.api.types.is_string_dtype(frame.columns.dtype)
        and frame.columns.is_unique
    )


def _schema(one: pd.DataFrame, columns: pd.Index, kind: pa.DataType) -> pa.Schema:
    """Return the schema of a frame of these columns, all of which are as the one that is given."""
    model = pa.Schema.from_pandas(one.iloc[:0])
    description: dict[str, Any] = json.loads(model.metadata[b"pandas"])
    column, *index = description["columns"]
    names = columns.tolist()
    described = [{**column, "name": name, "field_name": name} for name in names]
    description["columns"] = [*described, *index]
    # Without missing values in Arrow's sense, readers and writers need no mask.
    fields = [pa.field(name, kind, nullable=False) for name in names]
    fields += [model.field(at) for at in range(1, len(model))]
    return pa.schema(fields, {b"pandas": json.dumps(description).encode()})
