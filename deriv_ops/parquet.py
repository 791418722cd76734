"""Frames of numbers as Parquet files, written and read without a library on the way.

A library takes several times as long as the operators for what is, uncompressed, a copy of memory:
it looks at a thousand columns one by one. A frame here is all of one float type, with dates down
and tickers across, as nearly every result is, and its file is an ordinary one, which any reader of
Parquet opens:

1. ``PAR1``.
2. For each column one page, of plain numbers that are never null: missing ones are NaN. Without
   compression all have the same size, and their numbers begin at a multiple of `ALIGNED` bytes.
3. The dates, as the last column.
4. The footer: the schema, where the columns are, texts by their keys, and who wrote it. One of
   these texts is what pandas says of a frame, so that its index and its axes' names come back.

The format is that of https://parquet.apache.org/docs/file-format/ and of the file
``parquet.thrift`` of github.com/apache/parquet-format. What isn't such a frame, or is compressed
and to be read, goes through PyArrow (see `arrow`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from deriv_ops.footer import MAGIC, find_text, read_footer
from deriv_ops.kernels.layout import BLOCK, to_columns, to_rows
from deriv_ops.thrift import STOP, Encoded, Int64, Value, field, struct

ALIGNED = 8

_WRITTEN_BY = field(1, "deriv-ops version 1.0.0 (build 1)") + STOP
_LAYOUT_KEY, _PANDAS_KEY = "deriv_ops_layout", "pandas"
# The numbers that the format has for these.
_CODECS = {"none": 0, "snappy": 1, "zstd": 6, "lz4": 7}
_TYPES = {"int64": 2, "float32": 4, "float64": 5}
_UNITS = {"ms": 1, "us": 2, "ns": 3}
_PLAIN, _RLE, _REQUIRED, _DATA_PAGE = 0, 3, 0, 0

# fill(first, out, skip) sets out[j, skip:] to column first + j, for as many as `out` has rows.
Fill: TypeAlias = Callable[[int, NDArray[Any], int], None]


class Labels(NamedTuple):
    """What a file says of a frame beside its numbers and dates."""

    tickers: tuple[str, ...]
    columns_name: str | None
    index_name: str | None
    unit: str
    dtype: str


class Layout(NamedTuple):
    """Where the numbers are in a file without compression.

    `skip` is how many bytes of each column come before its numbers, `stride` how many there are
    from one column to the next, `dates` where the dates begin.
    """

    rows: int
    columns: int
    dtype: str
    unit: str
    skip: int
    stride: int
    dates: int


class Page(NamedTuple):
    """Where a column's page is, and its size, in bytes, after and before compression."""

    start: int
    size: int
    raw: int


def is_plain(frame: pd.DataFrame) -> bool:
    """Whether a frame is of one float type, by dates, with tickers as its columns."""
    index, columns = frame.index, frame.columns
    return (
        frame.size > 0
        and len(dtypes := frame.dtypes.unique()) == 1
        and dtypes[0] in to_columns
        and isinstance(index, pd.DatetimeIndex)
        and index.tz is None
        and index.unit in _UNITS
        and not index.hasnans
        and columns.nlevels == 1
        and pd.api.types.is_string_dtype(columns.dtype)
        and columns.is_unique
        and not columns.hasnans
        and all(name is None or isinstance(name, str) for name in (index.name, columns.name))
        and index.name not in columns
    )


def write_frame(
    file: IO[bytes], frame: pd.DataFrame, texts: Mapping[str, str], codec: str = "none"
) -> None:
    """Write a plain frame, with texts in its footer."""
    values = np.ascontiguousarray(frame.to_numpy())
    copy = to_columns[values.dtype]

    def fill(first: int, out: NDArray[Any], skip: int) -> None:
        copy(values, first, out, skip)

    write_columns(file, fill, frame.index, frame.columns, values.dtype, texts, codec)


def write_columns(
    file: IO[bytes],
    fill: Fill,
    dates: pd.Index,
    columns: pd.Index,
    dtype: np.dtype[Any],
    texts: Mapping[str, str],
    codec: str = "none",
) -> None:
    """Write what is a plain frame but for its numbers, which come in blocks of columns."""
    assert isinstance(dates, pd.DatetimeIndex)
    tickers = tuple(columns.tolist())
    labels = Labels(tickers, _name(columns), _name(dates), dates.unit, str(dtype))
    rows, count, size = len(dates), len(columns), dtype.itemsize
    head = _page_head(rows, rows * size, rows * size)
    skip = -(-len(head) // ALIGNED) * ALIGNED
    block = np.zeros((min(BLOCK, count), skip // size + rows), dtype)
    block.view(np.uint8)[:, skip - len(head) : skip] = np.frombuffer(head, np.uint8)
    file.write(MAGIC.ljust(ALIGNED, b"\0"))
    at = ALIGNED
    pages: list[Page] = []
    for first in range(0, count, BLOCK):
        some = block[: count - first]
        fill(first, some, skip // size)
        if codec == "none":
            file.write(some.data)
            begin, length = at + skip - len(head), len(head) + rows * size
            stride = some.strides[0]
            pages += [Page(begin + i * stride, length, length) for i in range(len(some))]
            at += some.nbytes
            continue
        for numbers in some[:, skip // size :]:
            pages.append(_write_page(file, at, numbers, codec))
            at += pages[-1].size
    index = dates.asi8
    pages.append(_write_page(file, at, index, codec))
    texts = {_PANDAS_KEY: _pandas_text(labels), **texts}
    if codec == "none":
        begin = at + pages[-1].size - index.nbytes
        layout = Layout(rows, count, str(dtype), dates.unit, skip, block.strides[0], begin)
        texts[_LAYOUT_KEY] = json.dumps(layout)
    pairs = [{1: key, 2: text} for key, text in texts.items()]
    footer = _described(labels, rows, codec, tuple(pages)) + field(1, pairs) + _WRITTEN_BY
    file.write(footer + len(footer).to_bytes(4, "little") + MAGIC)


def read_frame(path: Path) -> tuple[pd.DataFrame, bytes] | None:
    """Read a file that was written here without compression; None of any other.

    Returns the frame, and the footer. Raises `ValueError` when the file isn't a Parquet file or is
    cut short, and `OSError` when it can't be read.
    """
    footer = read_footer(path)
    # Whoever writes a file anew may keep its texts, but not this.
    if not footer.endswith(_WRITTEN_BY):
        return None
    text = find_text(footer, _LAYOUT_KEY)
    if text is None:
        return None
    layout = Layout(*json.loads(text))
    columns, index_name = _labels(find_text(footer, _PANDAS_KEY) or "")
    dtype = np.dtype(layout.dtype)
    values = np.empty((layout.rows, layout.columns), dtype)
    block = np.empty((BLOCK, layout.stride // dtype.itemsize), dtype)
    copy, skip = to_rows[dtype], layout.skip // dtype.itemsize
    with path.open("rb", buffering=0) as file:
        file.seek(ALIGNED)
        for first in range(0, layout.columns, BLOCK):
            some = block[: layout.columns - first]
            _fill(file, some)
            copy(some, skip, values, first)
        file.seek(layout.dates)
        dates = np.empty(layout.rows, "int64")
        _fill(file, dates)
    index = _dates(dates.tobytes(), layout.unit, index_name)
    return pd.DataFrame(values, index, columns, copy=False), footer


def _name(index: pd.Index) -> str | None:
    return None if index.name is None else str(index.name)


def _fill(file: Any, array: NDArray[Any]) -> None:
    memory = array.data.cast("B")
    while memory:
        read = file.readinto(memory)
        if not read:
            raise ValueError("it ends too soon")
        memory = memory[read:]


def _write_page(file: IO[bytes], at: int, numbers: NDArray[Any], codec: str) -> Page:
    raw = np.ascontiguousarray(numbers).data
    # Arrow's name of the format that Parquet's files have.
    name = {"lz4": "lz4_raw"}.get(codec, codec)
    data = raw if codec == "none" else pa.Codec(name).compress(raw, asbytes=True)
    size = len(data) if isinstance(data, bytes) else data.nbytes
    head = _page_head(len(numbers), raw.nbytes, size)
    file.write(head)
    file.write(data)
    return Page(at, len(head) + size, len(head) + raw.nbytes)


def _page_head(count: int, raw: int, size: int) -> Encoded:
    numbers = {1: count, 2: _PLAIN, 3: _RLE, 4: _RLE}
    return struct({1: _DATA_PAGE, 2: raw, 3: size, 5: numbers})


# The next three take longer than all else, and are the same for most results of a catalog.


@lru_cache(maxsize=4)
def _described(labels: Labels, rows: int, codec: str, pages: tuple[Page, ...]) -> bytes:
    """Return the first four fields of a footer: version, schema, rows, and where they are."""
    last = labels.index_name or "__index_level_0__"
    # What all columns have in common is encoded once; the ends of structures follow the rest.
    common = struct({1: _TYPES[labels.dtype], 3: _REQUIRED})[: -len(STOP)]
    schema = [Encoded(common + field(1, ticker) + STOP) for ticker in labels.tickers]
    # Neither a time of a time zone, nor of day.
    moment: Value = {8: {1: False, 2: {_UNITS[labels.unit]: Encoded(STOP)}}}
    schema.insert(0, struct({4: "schema", 5: len(pages)}))
    schema.append(struct({1: _TYPES["int64"], 3: _REQUIRED, 4: last, 10: moment}))
    before, dates_before = (
        struct({2: Int64(0), 3: {1: _TYPES[kind], 2: [_PLAIN, _RLE]}})[: -2 * len(STOP)]
        for kind in (labels.dtype, "int64")
    )
    after = field(1, _CODECS[codec]) + field(1, Int64(rows))
    befores = [before] * len(labels.tickers) + [dates_before]
    chunks = [
        Encoded(
            b"".join(
                (
                    *(before, field(1, [name]), after),
                    *(field(1, Int64(page.raw)), field(1, Int64(page.size))),
                    *(field(2, Int64(page.start)), STOP, STOP),
                )
            )
        )
        for before, name, page in zip(befores, (*labels.tickers, last), pages, strict=True)
    ]
    raw, size = sum(page.raw for page in pages), sum(page.size for page in pages)
    group: Value = {
        1: chunks,
        2: Int64(raw),
        3: Int64(rows),
        5: Int64(pages[0].start),
        6: Int64(size),
    }
    whole = struct({1: 2, 2: schema, 3: Int64(rows), 4: [group]})
    return whole[: -len(STOP)]


@lru_cache(maxsize=4)
def _pandas_text(labels: Labels) -> str:
    """Return what pandas says of such a frame: that of one column, repeated."""
    one = pd.DataFrame(
        np.empty((0, 1), labels.dtype),
        pd.DatetimeIndex([], dtype=f"datetime64[{labels.unit}]", name=labels.index_name),
        pd.Index(labels.tickers[:1], dtype="str", name=labels.columns_name),
    )
    description: dict[str, Any] = json.loads(pa.Schema.from_pandas(one).metadata[b"pandas"])
    column, *index = description["columns"]
    described = [{**column, "name": name, "field_name": name} for name in labels.tickers]
    description["columns"] = [*described, *index]
    return json.dumps(description)


@lru_cache(maxsize=4)
def _labels(pandas_text: str) -> tuple[pd.Index, str | None]:
    """Return the columns of a frame and the name of its index."""
    description = json.loads(pandas_text)
    *columns, index = description["columns"]
    name = description["column_indexes"][0]["name"]
    tickers = pd.Index([column["name"] for column in columns], dtype="str", name=name)
    return tickers, index["name"]


@lru_cache(maxsize=4)
def _dates(numbers: bytes, unit: str, name: str | None) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(np.frombuffer(numbers, f"datetime64[{unit}]"), name=name)
