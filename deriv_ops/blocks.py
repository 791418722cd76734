"""Frames that don't fit into a job's memory: the same operators block by block, through Dask.

An operator of time series takes blocks of shares with all of their history, a cross section blocks
of dates with all shares. By declaration no value of the result depends on what is in other blocks,
so the result is the same, bit for bit. What isn't at work waits in scratch files, in the folder
for temporary files (TMPDIR).
"""

from __future__ import annotations

import math
import mmap
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from deriv_ops.arrow import table_of_columns, to_frame
from deriv_ops.errors import MemoryLimitError, OutputError
from deriv_ops.kernels.layout import transposed
from deriv_ops.operators.declare import Operator
from deriv_ops.readers import checked, unique
from deriv_ops.store import write_table
from deriv_ops.summary import sampled_columns, summarize

MB = 2**20
# What a job takes before it has read anything, most of it code, and for each column of a file that
# is open or written.
_BASE = 330 * MB
_FILE_COLUMN = 6_000
# A compressed file is rarely smaller by more than this.
_COMPRESSION = 4


_MEND = "give it more, with --set-resources NAME:mem_mb=... or memory_mb in the configuration"


@dataclass(frozen=True)
class Limits:
    """What a job may use: bytes of memory, and threads."""

    memory: int
    threads: int

    def block(self, inputs: int, columns: int, files: int) -> int:
        """Return how many bytes each frame of a block may have, with so many files open at once."""
        left = self.memory - _BASE - _FILE_COLUMN * columns * files
        return left // self.threads // frames_at_work(inputs)


def frames_at_work(inputs: int) -> int:
    """Return how many frames a derivation of so many inputs takes at most, the inputs included.

    Beside its inputs an operator has its result, and working memory of up to a few frames and one
    for each input.
    """
    return 2 * inputs + 5


def fits(inputs: Sequence[Path], limits: Limits) -> bool:
    """Whether a derivation of these files can have all of its frames in memory."""
    frames = frames_at_work(len(inputs))
    largest = max(path.stat().st_size for path in inputs)
    # Only what may be too large is opened to see what it holds.
    if _BASE + frames * largest * _COMPRESSION <= limits.memory:
        return True
    cells = 0
    for path in inputs:
        with pq.ParquetFile(path) as file:
            cells = max(cells, file.metadata.num_rows * file.metadata.num_columns)
    return _BASE + frames * cells * 8 <= limits.memory


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
    def whole(self) -> pd.DataFrame:
        """All of it."""
        return to_frame(self.file.read(use_threads=False))

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def _numbers(self, column: pa.ChunkedArray) -> np.ndarray:
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
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
        for offset, part in self._parts(row, column, np.ascontiguousarray(values, self.dtype)):
            os.pwrite(self.file.fileno(), part, offset)

    def get(self, rows: slice, columns: slice) -> np.ndarray:
        """Read a block."""
        height, width = rows.stop - rows.start, columns.stop - columns.start
        values = np.empty((height, width), self.dtype)
        for offset, part in self._parts(rows.start, columns.start, values):
            os.preadv(self.file.fileno(), [part], offset)
        return values

    @contextmanager
    def mapped(self) -> Iterator[tuple[np.ndarray, Callable[[], None]]]:
        """Give the whole array, and a function that lets what was read of it go out of memory."""
        memory = mmap.mmap(self.file.fileno(), 0, prot=mmap.PROT_READ)
        array = np.frombuffer(memory, self.dtype).reshape(self.shape)
        yield array, lambda: memory.madvise(mmap.MADV_DONTNEED)

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


def derive(
    operator: Operator,
    params: Mapping[str, Any],
    inputs: Sequence[Path],
    output: Path,
    provenance: Mapping[str, Any],
    limits: Limits,
    codec: str,
    precision: str,
) -> dict[str, Any]:
    """Compute a derivation in blocks and write its result. Returns its summary.

    Raises `MemoryLimitError` when blocks can't help.
    """
    if operator.kind == "panel":
        raise MemoryLimitError(
            f"{operator.name} takes frames whole, and these don't fit into the "
            f"{limits.memory // MB} MB of its rule; {_MEND}"
        )
    by = _by_shares if operator.kind == "time series" else _by_dates
    result, dates, columns, missing = by(operator, params, inputs, limits, precision)
    return _write(output, result, dates, columns, missing, provenance, codec)


def convert(
    path: Path,
    output: Path,
    provenance: Mapping[str, Any],
    limits: Limits,
    codec: str,
    precision: str,
) -> dict[str, Any]:
    """Write a Parquet table of dates x shares as a result, in blocks. Returns its summary."""
    with Source(path) as source:
        # Dates and names are checked as of any table, the numbers by their type.
        head = checked(source.read(source.columns[:1]), path)
        columns = pd.Index(unique([str(name) for name in source.columns], "the header", path))
        _refuse_text(source, path, limits)
        result = Scratch((len(columns), len(head)), precision)
        room = limits.block(1, len(columns), files=1)

        def read(begin: int, end: int) -> int:
            values = source.read(source.columns[begin:end]).to_numpy()
            result.put(begin, 0, values.T)
            return int(np.isnan(values).sum())

        missing = _sum(read, len(columns), room // (8 * len(head)), limits.threads)
    return _write(output, result, head.index, columns, missing, provenance, codec)


def _refuse_text(source: Source, path: Path, limits: Limits) -> None:
    schema = source.file.schema_arrow
    text = [name for name in source.columns if not _is_number(schema.field(name).type)]
    if text or not isinstance(source.dates, pd.DatetimeIndex):
        reason = f"not numbers: {', '.join(text[:5])}" if text else "no dates as its index"
        raise MemoryLimitError(
            f"{path}: doesn't fit into the {limits.memory // MB} MB of its rule, and can't be taken"
            f" in blocks: {reason}; {_MEND}"
        )


def _is_number(kind: pa.DataType) -> bool:
    """Whether a column of this type holds numbers."""
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


Computed = tuple[Scratch, pd.Index, pd.Index, int]


def _by_shares(
    operator: Operator,
    params: Mapping[str, Any],
    inputs: Sequence[Path],
    limits: Limits,
    precision: str,
) -> Computed:
    """Return the result with a row for each share, its dates, its shares, and what is missing."""
    with ExitStack() as stack:
        sources = [stack.enter_context(Source(path)) for path in inputs]
        first, *others = sources
        dates, shares = first.dates, first.columns
        given = [first, *(other.whole if other.is_aside(shares) else other for other in others)]
        result = Scratch((len(shares), len(dates)), precision)

        def compute(begin: int, end: int) -> int:
            some = shares[begin:end]
            frames = [one.read(some) if isinstance(one, Source) else one for one in given]
            values = _checked(operator, operator.apply(frames, params), dates, some)
            result.put(begin, 0, values.T)
            return int(np.isnan(values).sum())

        # What is on dates of its own may have more of them.
        longest = max(len(source.dates) for source in sources)
        room = limits.block(len(inputs), len(shares), files=len(inputs))
        missing = _sum(compute, len(shares), room // (8 * longest), limits.threads)
    return result, dates, shares, missing


def _by_dates(
    operator: Operator,
    params: Mapping[str, Any],
    inputs: Sequence[Path],
    limits: Limits,
    precision: str,
) -> Computed:
    """Return as `_by_shares` does."""
    with Source(inputs[0]) as first:
        dates, shares = first.dates, first.columns
    # One file at a time, but the memory of the one before may not be free for it.
    room = limits.block(len(inputs), len(shares), files=2)
    given: list[pd.DataFrame | Rows] = []
    for path in inputs:
        with Source(path) as source:
            aside = bool(given) and source.is_aside(shares)
            given.append(source.whole if aside else Rows(source, shares, room))
    result = Scratch((len(dates), len(shares)), precision)

    def compute(begin: int, end: int) -> int:
        some = dates[begin:end]
        frames = [one.at(some) if isinstance(one, Rows) else one for one in given]
        values = _checked(operator, operator.apply(frames, params), some, shares)
        result.put(begin, 0, values)
        return int(np.isnan(values).sum())

    missing = _sum(compute, len(dates), room // (8 * len(shares)), limits.threads)
    turned = Scratch((len(shares), len(dates)), precision)
    for begin, end in _parts(len(shares), room // (8 * len(dates))):
        turned.put(begin, 0, result.get(slice(0, len(dates)), slice(begin, end)).T)
    return turned, dates, shares, missing


class Rows:
    """A source row by row, with the shares of the first one."""

    def __init__(self, source: Source, shares: pd.Index, room: int) -> None:
        self.dates, self.shares = source.dates, shares
        self.values = Scratch((len(self.dates), len(shares)))
        for begin, end in _parts(len(shares), room // (8 * len(self.dates))):
            self.values.put(0, begin, source.read(shares[begin:end]).to_numpy())

    def at(self, dates: pd.Index) -> pd.DataFrame:
        """Return what there is of some dates that follow each other."""
        begin, end = self.dates.slice_locs(dates[0], dates[-1])
        values = self.values.get(slice(begin, end), slice(0, len(self.shares)))
        return pd.DataFrame(values, self.dates[begin:end], self.shares, copy=False)


def _checked(
    operator: Operator, frame: pd.DataFrame, dates: pd.Index, shares: pd.Index
) -> np.ndarray:
    if frame.index.equals(dates) and frame.columns.equals(shares):
        return frame.to_numpy()
    raise MemoryLimitError(
        f"{operator.name} doesn't keep dates and shares as they are with these params, so it takes "
        f"frames whole, and these don't fit into the memory of its rule; {_MEND}"
    )


def _parts(count: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut a range into parts of one size."""
    if size < 1:
        raise MemoryLimitError(
            f"the memory of the rule is too little for one share, or one date, at a time; {_MEND}"
        )
    return ((begin, min(begin + size, count)) for begin in range(0, count, size))


def _sum(compute: Callable[[int, int], int], count: int, size: int, threads: int) -> int:
    """Compute all parts by Dask. Returns the sum of what they return."""
    # Most jobs don't need it.
    from dask.base import compute as run
    from dask.delayed import delayed

    tasks = [delayed(compute)(begin, end) for begin, end in _parts(count, size)]
    return sum(run(*tasks, scheduler="threads", num_workers=threads))


def _write(
    path: Path,
    result: Scratch,
    dates: pd.Index,
    columns: pd.Index,
    missing: int,
    provenance: Mapping[str, Any],
    codec: str,
) -> dict[str, Any]:
    every = slice(0, len(dates))
    sample = [result.get(slice(at, at + 1), every)[0] for at in sampled_columns(len(columns))]
    summary = summarize(
        pd.DataFrame(np.column_stack(sample), dates), missing / max(1, math.prod(result.shape))
    )
    summary["columns"] = len(columns)
    with result.mapped() as (by_column, release):
        table = table_of_columns(by_column, dates, columns)
        write_table(path, table, provenance, summary, codec, release)
    return summary
