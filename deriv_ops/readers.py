"""Reading the tables of the user: dates x shares, or a static table of one row a share.

Which of the two it is, the first column tells: dates (``2020-01-31`` or ``20200131``) make it
dates x shares. Tickers are text, whatever they look like. A table is taken as a whole or refused
with the places that are wrong; nothing is repaired silently.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.feather

from deriv_ops.errors import InputFileError
from deriv_ops.locations import is_remote, list_names, open_whole
from deriv_ops.parquet import read_frame

# Each opens a path, or what was fetched from object storage.
_COMPRESSED: dict[str, Callable[[Any], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": lambda source: pa.input_stream(source, compression="zstd"),
}
_UNREADABLE = (ValueError, EOFError, OSError, lzma.LZMAError, csv.Error)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?|\d{8}")
# What a cell of numbers may hold for "no value". In a column of text only an empty cell is none:
# NA can be Namibia, North America or a share.
_NO_NUMBER = pa.array(["", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None", "<NA>"])
# How many wrong places an error names.
_NAMED = 5


def find_table(path: Path) -> Path | None:
    """Return the path, or that of the same file compressed; None when there is neither."""
    candidates = [path, *(path.with_name(path.name + suffix) for suffix in _COMPRESSED)]
    if is_remote(path):
        # One request for the folder, in place of one for each candidate of each table; and another
        # for what has been written since.
        for refresh in (False, True):
            names = list_names(path.parent, refresh)
            for candidate in candidates:
                if candidate.name in names:
                    return candidate
        return None
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV (also compressed), Parquet or Feather file, as its suffix says.

    Returns a frame of dates x shares (DatetimeIndex; float64, or text in all columns), or a static
    table indexed by ticker. Raises `InputFileError`, which names the file, the place and the mend.
    """
    suffixes = [s.lower() for s in path.suffixes if s.lower() not in _COMPRESSED]
    kind = suffixes[-1] if suffixes else ""
    readers: dict[str, Callable[[Path], pd.DataFrame]] = {
        ".csv": _read_csv,
        ".parquet": _read_parquet,
        ".feather": lambda path: pd.read_feather(_source(path)),
    }
    if kind not in readers:
        raise InputFileError(
            f"{path}: nothing reads {kind or 'a file without a suffix'}: it can be .csv (also "
            f"{', '.join(_COMPRESSED)}), .parquet or .feather; or give FileVar a reader"
        )
    try:
        frame = readers[kind](path)
    except InputFileError:
        raise
    except _UNREADABLE as error:
        reason = str(error).partition("\n")[0]
        raise InputFileError(f"{path}: can't be read as {kind}: {reason}") from error
    return checked(frame, path)


def checked(read: object, path: Path) -> pd.DataFrame:
    """Return what a reader has read with its dates, shares and tickers checked.

    A frame that is numbered in its rows has dates or tickers in its first column.
    """
    if not isinstance(read, pd.DataFrame):
        raise InputFileError(f"{path}: its reader returned a {type(read).__name__}, no DataFrame")
    frame: pd.DataFrame = read
    if isinstance(frame.index, pd.RangeIndex) and len(frame.columns):
        frame = frame.set_index(frame.columns[0])
    if frame.empty:
        rows, width = frame.shape
        raise InputFileError(f"{path}: holds no table: {rows} rows and {width} columns of values")
    columns = unique([str(column) for column in frame.columns], "the header", path)
    frame = frame.set_axis(pd.Index(columns), axis=1)
    labels = frame.index
    if isinstance(labels, pd.DatetimeIndex):
        return frame.set_axis(_in_order(labels, path))
    text = [str(label) for label in labels]
    if not _DATE.fullmatch(text[0]):
        tickers = unique(text, "the first column", path)
        return frame.set_axis(pd.Index(tickers, name=labels.name))
    dates = pd.to_datetime(pd.Series(text), format="ISO8601", errors="coerce")
    unread = [f"row {i + 1}: {text[i]!r}" for i in dates.index[dates.isna()]]
    if unread:
        raise InputFileError(f"{path}: not dates in the first column: {_some(unread)}")
    return frame.set_axis(_in_order(pd.DatetimeIndex(dates, name=labels.name), path))


def unique(tickers: Sequence[str], place: str, path: Path) -> list[str]:
    """Return tickers, of which none may be empty or there twice; `place` is for the error."""
    empty = [f"number {i + 1}" for i, ticker in enumerate(tickers) if not ticker.strip()]
    if empty:
        raise InputFileError(f"{path}: no ticker in {place}: {_some(empty)}")
    twice = [ticker for ticker, count in Counter(tickers).items() if count > 1]
    if twice:
        raise InputFileError(f"{path}: tickers given twice in {place}: {_some(twice)}")
    return list(tickers)


def _in_order(dates: pd.DatetimeIndex, path: Path) -> pd.DatetimeIndex:
    """Dates must rise; the unit is that of pandas for text, so that all frames can be joined."""
    if dates.tz is not None:
        raise InputFileError(f"{path}: dates with a time zone ({dates.tz}); remove it")
    if dates.hasnans:
        raise InputFileError(f"{path}: row {int(dates.isna().argmax()) + 1} has no date")
    twice = dates[dates.duplicated()].unique()
    if len(twice):
        raise InputFileError(f"{path}: dates given twice: {_some([_day(d) for d in twice])}")
    if not dates.is_monotonic_increasing:
        later = [i for i in range(1, len(dates)) if dates[i] < dates[i - 1]]
        places = [f"{_day(dates[i])} after {_day(dates[i - 1])}" for i in later]
        raise InputFileError(f"{path}: dates out of order: {_some(places)}; sort the rows")
    return dates.as_unit("us")


def _day(date: pd.Timestamp) -> str:
    return str(date.date()) if date == date.normalize() else str(date)


def _some(places: Sequence[str]) -> str:
    more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
    return ", ".join(places[:_NAMED]) + more


def _source(path: Path) -> Any:
    """Return a path as it is, and of an object its content."""
    return open_whole(path) if is_remote(path) else path


def _opener(path: Path) -> Callable[[], Any]:
    """Return what opens a file, decompressed, as often as needed; an object is fetched once."""
    decompressed = _COMPRESSED.get(path.suffix.lower())
    if not is_remote(path):
        return lambda: decompressed(path) if decompressed else path.open("rb")
    content = open_whole(path).read()
    return lambda: decompressed(io.BytesIO(content)) if decompressed else io.BytesIO(content)


def _read_parquet(path: Path) -> pd.DataFrame:
    written_here = None if is_remote(path) else read_frame(path)
    return written_here[0] if written_here else pd.read_parquet(_source(path))


def _read_csv(path: Path) -> pd.DataFrame:
    opened = _opener(path)
    with opened() as stream:
        header = next(csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline="")), [])
    if len(header) < 2:
        raise InputFileError(
            f"{path}: one column only: {','.join(header) or 'it is empty'!r}; is it separated by "
            "commas? For another format give FileVar a reader"
        )
    unique(header[1:], "the header", path)
    # All as text first: what counts as missing is not the same for numbers and for names.
    text = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
    )
    with opened() as stream:
        table = pa.csv.read_csv(stream, convert_options=text)
    labels = pd.Index(table.column(0).to_pylist(), name=header[0] or None)
    columns = {name: table.column(i) for i, name in enumerate(header) if i > 0}
    numbers = {name: _numbers(column) for name, column in columns.items()}
    if len(labels) and _DATE.fullmatch(labels[0]):
        _refuse_a_mixture(columns, numbers, labels, path)
    else:
        # A column of nothing but NA is one of names.
        only_text = (name for name, number in numbers.items() if _is_all_missing(number))
        numbers |= dict.fromkeys(only_text)
    values = {
        name: _text(columns[name]) if number is None else number.to_numpy()
        for name, number in numbers.items()
    }
    return pd.DataFrame(values, index=labels)


def _numbers(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return a column of text as numbers; None when a cell isn't one."""
    trimmed = pc.utf8_trim_whitespace(column)
    missing = pc.is_in(trimmed, _NO_NUMBER)
    try:
        return pc.if_else(missing, None, trimmed).cast(pa.float64())
    except pa.ArrowInvalid:
        return None


def _looks_like_number(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.match_substring_regex(column, r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$")


def _is_all_missing(numbers: pa.ChunkedArray | None) -> bool:
    return numbers is not None and numbers.null_count == len(numbers)


def _text(column: pa.ChunkedArray) -> Any:
    return pd.array(pc.if_else(pc.equal(column, ""), None, column).to_pylist(), dtype="str")


def _refuse_a_mixture(
    columns: dict[str, pa.ChunkedArray],
    numbers: dict[str, pa.ChunkedArray | None],
    labels: pd.Index,
    path: Path,
) -> None:
    """Refuse dates x shares of numbers with some cells that aren't; nothing but text is fine."""
    unread = [name for name, column in numbers.items() if column is None]
    if not unread or not any(pc.any(_looks_like_number(c)).as_py() for c in columns.values()):
        return
    places = [
        f"{cell!r} at {label}, {name}"
        for name in unread
        for label, cell in zip(labels, columns[name].to_pylist(), strict=True)
        if _numbers(pa.chunked_array([[cell]])) is None
    ]
    raise InputFileError(f"{path}: not numbers: {_some(places)}; mend these cells or empty them")
