"""Frames that don't fit into a job's memory: the same operators block by block, through Dask.

An operator of time series takes blocks of shares with all of their history, a cross section blocks
of dates with all shares. By declaration no value of the result depends on what is in other blocks,
so the result is the same, bit for bit. What isn't at work waits in scratch files, in the folder
for temporary files (TMPDIR).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from deriv_ops.block_files import MB, MEND, Rows, Scratch, Source, parts
from deriv_ops.errors import MemoryLimitError
from deriv_ops.operators.conventions import refuse_strangers, refuse_text
from deriv_ops.operators.declare import Operator
from deriv_ops.readers import checked, unique
from deriv_ops.store import in_precision, read_shape, write_in_parts, write_result
from deriv_ops.summary import sampled_columns, summarize

# What a job takes before it has read anything, most of it code, and for each column of a file that
# is open or written.
_BASE = 330 * MB
_FILE_COLUMN = 6_000

# What a block gives.
Part = TypeVar("Part")


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


def needed(
    inputs: Sequence[Path],
    operator: Operator | None = None,
    params: Mapping[str, Any] | None = None,
) -> int:
    """Return how many bytes a derivation of these files may take, if all frames are in memory.

    Without an operator it is a file that is made a result. Raises `FileNotFoundError`, and
    `InputFileError` when what a file holds can't be read.
    """
    shapes = [read_shape(path) for path in inputs]
    numbers = frames_at_work(len(inputs)) * max(rows * columns for rows, columns in shapes)
    if operator:
        numbers += operator.working_numbers(shapes[0][1], params or {})
    return _BASE + 8 * numbers


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
            f"{limits.memory // MB} MB of its rule; {MEND}"
        )
    by = _by_shares if operator.kind == "time series" else _by_dates
    computed = by(operator, params, inputs, limits, precision)
    if isinstance(computed, pd.DataFrame):
        values = in_precision(computed.to_numpy(), precision)
        reduced = pd.DataFrame(values, computed.index, computed.columns, copy=False)
        return write_result(output, reduced, provenance, codec)
    return _write(output, *computed, provenance, codec)


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

        missing = sum(_each(read, len(columns), room // (8 * len(head)), limits.threads))
    return _write(output, result, head.index, columns, missing, provenance, codec)


def _refuse_text(source: Source, path: Path, limits: Limits) -> None:
    schema = source.file.schema_arrow
    text = [name for name in source.columns if not _is_number(schema.field(name).type)]
    if text or not isinstance(source.dates, pd.DatetimeIndex):
        reason = f"not numbers: {', '.join(text[:5])}" if text else "no dates as its index"
        raise MemoryLimitError(
            f"{path}: doesn't fit into the {limits.memory // MB} MB of its rule, and can't be taken"
            f" in blocks: {reason}; {MEND}"
        )


def _is_number(kind: pa.DataType) -> bool:
    """Whether a column of this type holds numbers."""
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


# A result with a row for each share, its dates, its shares, and how many values are missing.
Computed: TypeAlias = tuple[Scratch, pd.Index, pd.Index, int]


def _by_shares(
    operator: Operator,
    params: Mapping[str, Any],
    inputs: Sequence[Path],
    limits: Limits,
    precision: str,
) -> Computed:
    with ExitStack() as stack:
        sources = [stack.enter_context(Source(path)) for path in inputs]
        first, *others = sources
        dates, shares = first.dates, first.columns
        for position, source in enumerate(sources):
            if not position or not source.is_aside(shares):
                _refuse(operator, position, source, shares)
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
        missing = sum(_each(compute, len(shares), room // (8 * longest), limits.threads))
    return result, dates, shares, missing


def _by_dates(
    operator: Operator,
    params: Mapping[str, Any],
    inputs: Sequence[Path],
    limits: Limits,
    precision: str,
) -> Computed | pd.DataFrame:
    """Return a result that has a column for each group as it is: it is small."""
    with Source(inputs[0]) as first:
        dates, shares = first.dates, first.columns
    # One file at a time, but the memory of the one before may not be free for it.
    room = limits.block(len(inputs), len(shares), files=2)
    given: list[pd.DataFrame | Rows] = []
    for position, path in enumerate(inputs):
        with Source(path) as source:
            aside = position > 0 and source.is_aside(shares)
            if not aside:
                _refuse(operator, position, source, shares)
            given.append(source.whole if aside else Rows(source, shares, room))

    def compute(begin: int, end: int) -> pd.DataFrame:
        some = dates[begin:end]
        frames = [one.at(some) if isinstance(one, Rows) else one for one in given]
        return operator.apply(frames, params)

    size = room // (8 * len(shares))
    if not compute(0, 1).columns.equals(shares):
        reduced = _joined(operator, _each(compute, len(dates), size, limits.threads), limits)
        codes = {
            code: name for one in given if isinstance(one, Rows) for name, code in one.codes.items()
        }
        return _named(reduced, codes)
    result = Scratch((len(dates), len(shares)), precision)

    def put(begin: int, end: int) -> int:
        values = _checked(operator, compute(begin, end), dates[begin:end], shares)
        result.put(begin, 0, values)
        return int(np.isnan(values).sum())

    missing = sum(_each(put, len(dates), size, limits.threads))
    turned = Scratch((len(shares), len(dates)), precision)
    for begin, end in parts(len(shares), room // (8 * len(dates))):
        turned.put(begin, 0, result.get(slice(0, len(dates)), slice(begin, end)).T)
    return turned, dates, shares, missing


def _joined(operator: Operator, blocks: list[pd.DataFrame], limits: Limits) -> pd.DataFrame:
    """Put together what has a column for each group."""
    if all(block.columns.equals(blocks[0].columns) for block in blocks):
        return pd.concat(blocks)
    raise MemoryLimitError(
        f"{operator.name} makes a column for each group, and of groups that change it has to see "
        f"all dates at once, which don't fit into the {limits.memory // MB} MB of its rule; {MEND}"
    )


def _refuse(operator: Operator, position: int, source: Source, shares: pd.Index) -> None:
    """Refuse what the operator itself would of a whole frame. Raises `OperatorError`."""
    declared = operator.inputs[min(position, len(operator.inputs) - 1)]
    if declared.kind != "groups":
        refuse_text(f"{operator.name}: input {declared.name!r}", source.text)
    if position:
        refuse_strangers(operator, position, source.columns, shares)


def _named(reduced: pd.DataFrame, names: Mapping[float, str]) -> pd.DataFrame:
    """Give groups that were numbers in the blocks their names again, and the order of these."""
    if not names:
        return reduced
    named = [names[float(code)] for code in reduced.columns]
    return reduced.set_axis(named, axis=1).sort_index(axis=1)


def _checked(
    operator: Operator, frame: pd.DataFrame, dates: pd.Index, shares: pd.Index
) -> np.ndarray:
    if frame.index.equals(dates) and frame.columns.equals(shares):
        return frame.to_numpy()
    raise MemoryLimitError(
        f"{operator.name} doesn't keep dates and shares as they are with these params, so it takes "
        f"frames whole, and these don't fit into the memory of its rule; {MEND}"
    )


def _each(compute: Callable[[int, int], Part], count: int, size: int, threads: int) -> list[Part]:
    """Compute all parts by Dask. Returns what they return, in their order."""
    # Most jobs don't need it.
    from dask.base import compute as run
    from dask.delayed import delayed

    # What a part returns is small, or written already.
    tasks = [delayed(compute, traverse=False)(begin, end) for begin, end in parts(count, size)]
    return list(run(*tasks, scheduler="threads", num_workers=threads, traverse=False))


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

    def fill(first: int, out: np.ndarray, skip: int) -> None:
        out[:, skip:] = result.get(slice(first, first + len(out)), every)

    write_in_parts(path, fill, dates, columns, result.dtype, provenance, summary, codec)
    return summary
