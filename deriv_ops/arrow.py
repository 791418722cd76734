"""Arrow tables as frames, with one copy where a table is of numbers.

What pandas does by column takes longer than most operators do.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa

from deriv_ops.kernels.layout import transposed


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
