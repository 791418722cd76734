"""Files of plain numbers: ordinary Parquet to everybody else, and read here without a library."""

from __future__ import annotations

import io
from pathlib import Path

import duckdb
import fastparquet
import numpy as np
import pandas as pd
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deriv_ops.footer import read_footer
from deriv_ops.parquet import ALIGNED, BLOCK, is_plain, read_frame, write_frame

CODECS = ("none", "lz4", "zstd", "snappy")


def plain(rows: int, columns: int, dtype: str = "float64", unit: str = "us") -> pd.DataFrame:
    random = np.random.default_rng(rows * columns)
    values = random.normal(size=(rows, columns)).astype(dtype)
    values[random.random((rows, columns)) < 0.1] = np.nan
    values.flat[:3] = [np.inf, -np.inf, -0.0][: values.size]
    dates = pd.bdate_range("2015-01-01", periods=rows, name="date", unit=unit)
    # Names with a dot, of more than one byte, and longer than a varint of one byte can say.
    names = ["BRK.B", "é\u4e2d", "x" * 300, *(f"S{i}" for i in range(3, columns))][:columns]
    return pd.DataFrame(values, dates, names, copy=False)


def written(path: Path, frame: pd.DataFrame, codec: str = "none") -> Path:
    with path.open("wb") as file:
        write_frame(file, frame, {"note": "a text"}, codec)
    return path


def same(read: pd.DataFrame, frame: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(read, frame, check_exact=True, check_freq=False)
    assert read.to_numpy().tobytes() == frame.to_numpy().tobytes()


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "shape", [(1, 1), (3, 2), (7, BLOCK), (9, BLOCK + 1), (130, 3 * BLOCK), (5, 1500)]
)
def test_reads_back_bit_for_bit(
    tmp_path: Path, shape: tuple[int, int], dtype: str, unit: str
) -> None:
    frame = plain(*shape, dtype, unit)
    path = written(tmp_path / "x.parquet", frame)
    read = read_frame(path)
    assert read is not None
    same(read[0], frame)
    assert read[0].to_numpy().flags.c_contiguous
    same(pd.read_parquet(path), frame)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_other_readers(tmp_path: Path, dtype: str, codec: str) -> None:
    frame = plain(300, 70, dtype)
    path = written(tmp_path / "x.parquet", frame, codec)
    table = polars.read_parquet(path)
    assert table.schema["date"] == polars.Datetime("us")
    fast = fastparquet.ParquetFile(str(path)).to_pandas()
    sql = duckdb.sql(f"select * from '{path}'").df().set_index("date")
    for read in (pd.read_parquet(path), table.to_pandas().set_index("date"), fast, sql):
        assert list(read.columns) == list(frame.columns)
        assert list(read.index) == list(frame.index)
        assert set(read.dtypes) == {np.dtype(dtype)}
        assert read.to_numpy().tobytes() == frame.to_numpy().tobytes()
    # A reader of some columns needs no more than these.
    some = polars.scan_parquet(path).select("date", "BRK.B").collect()
    assert np.array_equal(some["BRK.B"].to_numpy(), frame["BRK.B"].to_numpy(), equal_nan=True)


def test_what_the_footer_says(tmp_path: Path) -> None:
    frame = plain(40, 5)
    file = pq.ParquetFile(written(tmp_path / "x.parquet", frame))
    metadata, content = file.metadata, (tmp_path / "x.parquet").read_bytes()
    assert (metadata.num_rows, metadata.num_columns, metadata.num_row_groups) == (40, 6, 1)
    group = metadata.row_group(0)
    sizes = [group.column(at).total_uncompressed_size for at in range(6)]
    assert group.total_byte_size == sum(sizes)
    for at in range(5):
        column = group.column(at)
        end = column.data_page_offset + column.total_compressed_size
        numbers = content[end - 40 * 8 : end]
        assert numbers == frame.iloc[:, at].to_numpy().tobytes()
        assert (end - 40 * 8) % ALIGNED == 0
    assert metadata.metadata[b"note"] == b"a text"
    assert not any(field.nullable for field in file.schema_arrow)


def test_the_same_frame_is_the_same_bytes_in_any_order_of_memory() -> None:
    frame = plain(50, 9)
    texts = []
    for order in ("C", "F"):
        values = np.array(frame.to_numpy(), order=order)
        with io.BytesIO() as file:
            write_frame(file, pd.DataFrame(values, frame.index, frame.columns, copy=False), {})
            texts.append(file.getvalue())
    assert texts[0] == texts[1]


def test_who_writes_it_anew_is_read_by_a_library(tmp_path: Path) -> None:
    """The texts may say where the numbers were; they are elsewhere now."""
    path = written(tmp_path / "x.parquet", plain(40, 5))
    pq.write_table(pq.read_table(path), tmp_path / "y.parquet")
    assert b"deriv_ops_layout" in read_footer(tmp_path / "y.parquet")
    assert read_frame(tmp_path / "y.parquet") is None


@pytest.mark.parametrize("codec", CODECS[1:])
def test_what_is_compressed_is_left_to_a_library(tmp_path: Path, codec: str) -> None:
    assert read_frame(written(tmp_path / "x.parquet", plain(40, 5), codec)) is None


def test_a_file_that_lacks_its_middle(tmp_path: Path) -> None:
    path = written(tmp_path / "x.parquet", plain(400, 5))
    footer = read_footer(path)
    path.write_bytes(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(ValueError, match="ends too soon"):
        read_frame(path)


NOT_PLAIN = {
    "whole numbers": plain(4, 2).fillna(0).replace([np.inf, -np.inf], 0).astype("int64"),
    "two types": plain(4, 2).assign(S3=np.float32(1)),
    "no dates": plain(4, 2).reset_index(drop=True),
    "a time zone": plain(4, 2).tz_localize("Europe/Paris"),
    "seconds": plain(4, 2, unit="s"),
    "a date that is missing": plain(4, 2).set_axis(pd.DatetimeIndex([None] * 4)),
    "columns that aren't text": plain(4, 2).set_axis([1, 2], axis=1),
    "columns of the same name": plain(4, 2).set_axis(["A", "A"], axis=1),
    "columns of two levels": plain(4, 2).set_axis(
        pd.MultiIndex.from_tuples([("A", "x"), ("A", "y")]), axis=1
    ),
    "a column of the index's name": plain(4, 2).set_axis(["A", "date"], axis=1),
    "a name that isn't text": plain(4, 2).rename_axis(columns=3),
    "no rows": plain(4, 2).iloc[:0],
    "no columns": plain(4, 2).iloc[:, :0],
}


@pytest.mark.parametrize("frame", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_what_is_not_plain(frame: pd.DataFrame) -> None:
    assert not is_plain(frame)
    assert is_plain(plain(4, 2))


def test_columns_that_pandas_calls_objects(tmp_path: Path) -> None:
    frame = plain(4, 2)
    frame.columns = frame.columns.astype("object")
    path = written(tmp_path / "x.parquet", frame)
    read = read_frame(path)
    assert read is not None
    same(read[0], pd.read_parquet(path))
    assert pa.types.is_float64(pq.read_schema(path).field(0).type)
