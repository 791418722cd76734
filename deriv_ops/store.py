"""Results: one Parquet file or object each, with its provenance, whole or not at all.

In a run on warm workers a result is also handed over in memory to the jobs that read it next. The
file is always written and always enough.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from snakemake_executor_plugin_dask import handover

from deriv_ops.arrow import to_frame
from deriv_ops.errors import InputFileError, OutputError
from deriv_ops.footer import find_text, read_texts
from deriv_ops.locations import is_remote, location, open_whole, upload
from deriv_ops.parquet import Fill, is_plain, read_frame, write_columns, write_frame
from deriv_ops.summary import summarize

_KEY = "deriv_ops"
_SUMMARY_KEY = "deriv_ops_summary"
# The suffix of a file that is being written; `remove_unfinished` knows it.
_UNFINISHED = ".unfinished"


class Result(NamedTuple):
    """A frame and what it was made of."""

    frame: pd.DataFrame
    provenance: dict[str, Any]


def write_result(
    path: Path, frame: pd.DataFrame, provenance: Mapping[str, Any], codec: str = "none"
) -> dict[str, Any]:
    """Write a frame so that ``pd.read_parquet(path)`` gives it back, with its provenance.

    Its summary, which is returned, is written with it. The file appears whole or not at all;
    raises as `whole` does.
    """
    summary = summarize(frame)
    texts = _texts(provenance, summary)
    with whole(path) as unfinished:
        if is_plain(frame):
            with unfinished.open("wb") as file:
                write_frame(file, frame, texts, codec)
        else:
            _write_by_library(unfinished, pa.Table.from_pandas(frame), texts, codec)
    if not is_remote(path):
        handover.put(path, Result(frame, dict(provenance)))
    return summary


def write_in_parts(
    path: Path,
    fill: Fill,
    dates: pd.Index,
    columns: pd.Index,
    dtype: np.dtype[Any],
    provenance: Mapping[str, Any],
    summary: Mapping[str, Any],
    codec: str = "none",
) -> None:
    """Write a result whose numbers come in parts (see `parquet.Fill`). Raises as `whole` does."""
    texts = _texts(provenance, summary)
    with whole(path) as unfinished, unfinished.open("wb") as file:
        write_columns(file, fill, dates, columns, dtype, texts, codec)


def _texts(provenance: Mapping[str, Any], summary: Mapping[str, Any]) -> dict[str, str]:
    return {_KEY: json.dumps(provenance), _SUMMARY_KEY: json.dumps(summary)}


def _write_by_library(path: Path, table: pa.Table, texts: Mapping[str, str], codec: str) -> None:
    pq.write_table(
        table.replace_schema_metadata({**(table.schema.metadata or {}), **texts}),
        path,
        compression=codec,
        row_group_size=max(1, table.num_rows),
    )


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a name to write a file to, which becomes `path` when all of it is written.

    Makes the folder. Raises `OutputError` when the file can't be written; what stood there before
    is then as it was.
    """
    if is_remote(path):
        with TemporaryDirectory() as folder, _telling(path, "look at the bucket"):
            yield (written := Path(folder, path.name))
            upload(written, path)
        return
    # A name of its own for each writer: a job taken for dead may still be writing.
    unfinished = path.with_name(f".{path.name}.{token_hex(4)}{_UNFINISHED}")
    try:
        with _telling(path, "free some space"):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield unfinished
            unfinished.replace(path)
    finally:
        with suppress(OSError):
            unfinished.unlink()


@contextmanager
def _telling(path: Path, mend: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"{path}: can't be written: {reason}; {mend} or set results_dir elsewhere"
        ) from error


def read_result(path: str | Path) -> Result:
    """Read a result with its provenance; raises `InputFileError` when the file isn't one."""
    path = location(path)
    handed_over: Result | None = None if is_remote(path) else handover.get(path)
    if handed_over is not None:
        return handed_over
    try:
        if not is_remote(path) and (read := read_frame(path)):
            frame, footer = read
            return Result(frame, _provenance(find_text(footer, _KEY), path))
        with pq.ParquetFile(open_whole(path) if is_remote(path) else path) as file:
            table = file.read(use_threads=False)
    except (pa.ArrowInvalid, ValueError, OSError) as error:
        raise _unreadable(path, error) from error
    text = (table.schema.metadata or {}).get(_KEY.encode())
    return Result(to_frame(table), _provenance(text and text.decode(), path))


def read_shape(path: Path) -> tuple[int, int]:
    """Return how many rows and columns of values a result, or any Parquet file, has.

    Raises `FileNotFoundError`, and `InputFileError` when it can't be read.
    """
    try:
        text = read_texts(path, [_SUMMARY_KEY]).get(_SUMMARY_KEY)
        if text is not None:
            summary = json.loads(text)
            return summary["rows"], summary["columns"]
        metadata = pq.read_metadata(path)
    except FileNotFoundError:
        raise
    except (ValueError, OSError) as error:
        raise _unreadable(path, error) from error
    return metadata.num_rows, metadata.num_columns


def in_precision(values: np.ndarray, dtype: str | np.dtype[Any]) -> np.ndarray:
    """Return numbers in the type that a file has, lying together; what it can't hold is missing."""
    with np.errstate(over="ignore"):
        stored = np.ascontiguousarray(values, dtype)
    if stored.dtype != values.dtype and (too_large := np.isinf(stored) & np.isfinite(values)).any():
        stored[too_large] = np.nan
    return stored


def read_provenance(path: str | Path) -> dict[str, Any]:
    """Read what a result was made of: derivation, operator, params, parents, digests, versions.

    Only the end of the file is read.
    """
    return read_summary(path)[0]


def read_summary(path: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read what a result was made of, and what it holds (see `summary`), in one go."""
    try:
        texts = read_texts(location(path), (_KEY, _SUMMARY_KEY))
    except ValueError as error:
        raise _unreadable(path, error) from error
    return _provenance(texts.get(_KEY), path), json.loads(texts.get(_SUMMARY_KEY, "{}"))


def _provenance(text: str | None, path: str | Path) -> dict[str, Any]:
    if text is None:
        raise InputFileError(f"{path}: has no provenance; remove it to have it made again")
    provenance: dict[str, Any] = json.loads(text)
    return provenance


def _unreadable(path: str | Path, error: Exception) -> InputFileError:
    reason = str(error).partition("\n")[0]
    return InputFileError(
        f"{path}: isn't a result that can be read: {reason}; remove it to have it made again"
    )


def remove_unfinished(folder: Path) -> None:
    """Remove what killed jobs have left; only when no other run writes to the folder.

    Nothing is left in object storage, where a write that isn't finished makes no object.
    """
    if is_remote(folder):
        return
    for unfinished in folder.rglob(f".*{_UNFINISHED}"):
        unfinished.unlink(missing_ok=True)
