"""The files of a derivation in blocks: inputs that are read in parts, and scratch files."""

from __future__ import annotations

import math
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from deriv_ops.arrow import to_frame
from deriv_ops.errors import MemoryLimitError, OutputError
from deriv_ops.kernels.layout import transposed
from deriv_ops.store import in_precision

MB = 2**20
MEND = "give it more, with --set-resources NAME:mem_mb=... or memory_mb in the configuration"


class Source:
    """Dates x shares in a Parquet file, of which some columns are read at a time.

    Text, such as the names of groups, is given as numbers: the same for the same text.
    """

    def __init__(self, path: Path) -> None:
        self.file = pq.ParquetFile(path)
        self.lock = threading.Lock()
        self.codes: dict[Any, float] = {}
        names = self.file.schema_arrow.names
        head = self.file.read(columns=names[:1], use_pandas_metadata=True).to_pandas()
        self.dates = head.index
        index = set(head.index.names)
        self.columns = pd.Index(
            [name for name in names if name not in index],
            dtype=head.columns.dtype,
            name=head.columns.name,
        )

    def read(self, shares: pd.Index) -> pd.DataFrame:
        """Return some shares; one that isn't there is missing throughout."""
        names = shares.tolist()
        known = self.columns.get_indexer(shares) >= 0
        with self.lock:
            table = self.file.read(columns=list(shares[known]), use_threads=False)
            by_column = np.full((len(shares), len(self.dates)), np.nan)
            for at in np.flatnonzero(known):
                by_column[at] = self._numbers(table.column(names[at]))
        return pd.DataFrame(transposed(by_column), self.dates, shares, copy=False)

    def is_aside(self, shares: pd.Index) -> bool:
        """Whether it goes to each block as it is: a static table, or a factor (see conventions)."""
        is_factor = len(self.columns) == 1 and self.columns[0] not in shares
        return is_factor or not isinstance(self.dates, pd.DatetimeIndex)

    @property
    def text(self) -> list[str]:
        """The shares whose values are text."""
        schema = self.file.schema_arrow
        return [share for share in self.columns if _is_text(schema.field(share).type)]

    @property
    def whole(self) -> pd.DataFrame:
        """All of it."""
        return to_frame(self.file.read(use_threads=False))

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def _numbers(self, column: pa.ChunkedArray) -> np.ndarray:
        if not _is_text(column.type):
            numbers: np.ndarray = column.to_numpy()
            return numbers
        texts = column.to_pylist()
        return np.array(
            [
                np.nan if text is None else self.codes.setdefault(text, float(len(self.codes)))
                for text in texts
            ]
        )


class Scratch:
    """An array in a temporary file. Raises `OutputError` when there is no space for it.

    It is read and written, not mapped: what a map brings into memory can't be bounded.
    """

    def __init__(self, shape: tuple[int, int], dtype: str = "float64") -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        size = math.prod(shape) * self.dtype.itemsize
        try:
            os.posix_fallocate(self.file.fileno(), 0, size)
        except OSError as error:
            raise OutputError(
                f"{tempfile.gettempdir()}: no space for {size // MB} MB of scratch: "
                f"{error.strerror}; free some, or set TMPDIR to another folder"
            ) from error

    def put(self, row: int, column: int, values: np.ndarray) -> None:
        """Write a block, whose first cell is at this place."""
        for offset, part in self._parts(row, column, in_precision(values, self.dtype)):
            os.pwrite(self.file.fileno(), part, offset)

    def get(self, rows: slice, columns: slice) -> np.ndarray:
        """Read a block."""
        height, width = rows.stop - rows.start, columns.stop - columns.start
        values = np.empty((height, width), self.dtype)
        for offset, part in self._parts(rows.start, columns.start, values):
            os.preadv(self.file.fileno(), [part], offset)
        return values

    def _parts(self, row: int, column: int, values: np.ndarray) -> Iterator[tuple[int, memoryview]]:
        """Yield the parts of a block that lie together in the file."""
        if not values.size:
            return
        width, size = self.shape[1], self.dtype.itemsize
        if values.shape[1] == width:
            yield row * width * size, values.data.cast("B")
            return
        for at, part in enumerate(values):
            yield ((row + at) * width + column) * size, part.data.cast("B")


class Rows:
    """A source row by row, with the shares of the first one."""

    def __init__(self, source: Source, shares: pd.Index, room: int) -> None:
        self.dates, self.shares, self.codes = source.dates, shares, source.codes
        self.values = Scratch((len(self.dates), len(shares)))
        for begin, end in parts(len(shares), room // (8 * len(self.dates))):
            self.values.put(0, begin, source.read(shares[begin:end]).to_numpy())

    def at(self, dates: pd.Index) -> pd.DataFrame:
        """Return what there is of some dates that follow each other."""
        begin, end = self.dates.slice_locs(dates[0], dates[-1])
        values = self.values.get(slice(begin, end), slice(0, len(self.shares)))
        return pd.DataFrame(values, self.dates[begin:end], self.shares, copy=False)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def parts(count: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut a range into parts of one size."""
    if size < 1:
        raise MemoryLimitError(
            f"the memory of the rule is too little for one share, or one date, at a time; {MEND}"
        )
    return ((begin, min(begin + size, count)) for begin in range(0, count, size))
