"""Reading the user's tables: every format, awkward names, and what is said of a bad file."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from deriv_ops.errors import InputFileError
from deriv_ops.job import read_input
from deriv_ops.readers import checked, find_table, read_table

TABLE = "date,A,TRUE,NA\n2020-01-01,1.5,NA,\n2020-01-02, 2 ,inf,1e-3\n"
EXPECTED = pd.DataFrame(
    {"A": [1.5, 2.0], "TRUE": [np.nan, np.inf], "NA": [np.nan, 0.001]},
    pd.DatetimeIndex(["2020-01-01", "2020-01-02"], name="date").as_unit("us"),
)


def zstd(path: Path, mode: str):
    return pa.CompressedOutputStream(str(path), "zstd")


@pytest.mark.parametrize(
    "suffix, opened",
    [("", open), (".gz", gzip.open), (".bz2", bz2.open), (".xz", lzma.open), (".zst", zstd)],
)
def test_csv_is_read_whatever_its_compression(tmp_path: Path, suffix, opened):
    path = tmp_path / f"prices.csv{suffix}"
    with opened(path, "wb") as stream:
        stream.write(TABLE.encode())
    # The catalog says prices.csv; the compressed file of that name is found.
    assert find_table(tmp_path / "prices.csv") == path
    pd.testing.assert_frame_equal(read_input(tmp_path / "prices.csv"), EXPECTED)


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_parquet_and_feather_are_read_with_and_without_index(tmp_path: Path, suffix, index):
    path = tmp_path / f"prices.{suffix}"
    getattr(EXPECTED if index else EXPECTED.reset_index(), f"to_{suffix}")(path)
    pd.testing.assert_frame_equal(read_table(path), EXPECTED)


def test_numbers_are_read_to_the_last_bit(tmp_path: Path):
    values = np.random.default_rng(1).standard_normal(1000) * 10.0 ** np.arange(-50, 50).repeat(10)
    path = tmp_path / "x.csv"
    path.write_text(
        "date,A\n"
        + "".join(
            f"{20000101 + i % 9 + i // 9 * 10000},{v!r}\n" for i, v in enumerate(values.tolist())
        )
    )
    assert read_table(path)["A"].tolist() == values.tolist()


def test_dates_may_be_written_without_dashes_or_with_a_time(tmp_path: Path):
    for date in ("20200131", "2020-01-31", "2020-01-31 00:00:00", "2020-01-31T00:00:00"):
        (tmp_path / "x.csv").write_text(f"date,A\n{date},1\n")
        assert read_table(tmp_path / "x.csv").index[0] == pd.Timestamp("2020-01-31")


def test_a_static_table_keeps_na_as_a_name_but_not_as_a_number(tmp_path: Path):
    path = tmp_path / "s.csv"
    path.write_text("symbol,sector,region,rank\nTRUE,Energy,NA,1\nNA,,NA,NA\n0012,Tech,NA,3\n")
    table = read_table(path)
    assert table.index.tolist() == ["TRUE", "NA", "0012"]
    assert table["region"].tolist() == ["NA"] * 3
    assert table["sector"].isna().tolist() == [False, True, False]
    assert table["rank"].tolist()[::2] == [1.0, 3.0]
    assert table["rank"].isna().tolist() == [False, True, False]


def test_labels_by_dates_and_shares_stay_text(tmp_path: Path):
    (tmp_path / "x.csv").write_text("date,A,B\n2020-01-01,NA,\n2020-01-02,x,y\n")
    table = read_table(tmp_path / "x.csv")
    assert table["A"].tolist() == ["NA", "x"]
    assert table["B"].isna().tolist() == [True, False]


def test_tickers_are_text_whatever_the_file_holds(tmp_path: Path):
    frame = pd.DataFrame([[1.0, 2.0]], pd.DatetimeIndex(["2020-01-01"]), [10107, True])
    assert checked(frame, Path("x")).columns.tolist() == ["10107", "True"]


BAD = {
    "": "one column only: 'it is empty'",
    "date\n": "one column only: 'date'",
    "date;A;B\n2020-01-01;1;2\n": "is it separated by commas? For another format give FileVar a",
    "date,A\n": "holds no table: 0 rows",
    "date,A,B,A\n2020-01-01,1,2,3\n": "tickers given twice in the header: A",
    "date,A,,\n2020-01-01,1,2,3\n": "no ticker in the header: number 2, number 3",
    "s,sector\nA,x\nB,y\nA,z\n": "tickers given twice in the first column: A",
    "date,A,B\n2020-01-01,1,x\n2020-01-02,1,3,5\n": "Expected 3 columns, got 4: 2020-01-02,1,3,5",
    "date,A,B\n2020-01-01,1,2\n2020-01-02,1\n": "Expected 3 columns, got 2: 2020-01-02,1",
    'date,A,B\n2020-01-01,1,"1,5"\n2020-01-02,1,x\n': (
        "not numbers: '1,5' at 2020-01-01, B, 'x' at 2020-01-02, B; mend these cells or empty them"
    ),
    "date,A\n2020-01-02,1\n2020-01-01,2\n": (
        "dates out of order: 2020-01-01 after 2020-01-02; sort the rows"
    ),
    "date,A\n2020-01-02,1\n2020-01-02,2\n": "dates given twice: 2020-01-02",
    "date,A\n2020-01-02,1\n2020-13-02,2\n,2\n": (
        "not dates in the first column: row 2: '2020-13-02', row 3: ''"
    ),
    "date,A\n"
    + "2020-01-01,x\n" * 0
    + "".join(f"2020-01-0{i},{'1' if i == 1 else 'x'}\n" for i in range(1, 9)): (
        "not numbers: 'x' at 2020-01-02, A, 'x' at 2020-01-03, A, 'x' at 2020-01-04, A, "
        "'x' at 2020-01-05, A, 'x' at 2020-01-06, A and 2 more"
    ),
}


@pytest.mark.parametrize("text, told", BAD.items())
def test_a_bad_table_is_refused_with_the_place(tmp_path: Path, text, told):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(InputFileError) as error:
        read_table(path)
    assert str(error.value).startswith(f"{path}: ")
    assert told in str(error.value)


@pytest.mark.parametrize(
    "name, told",
    [
        ("x.txt", "nothing reads .txt: it can be .csv (also .gz, .bz2, .xz, .zst), .parquet"),
        ("x", "nothing reads a file without a suffix"),
        ("x.parquet", "can't be read as .parquet"),
        ("x.feather", "can't be read as .feather"),
        ("x.csv.gz", "can't be read as .csv"),
        ("x.csv.xz", "can't be read as .csv"),
        ("x.csv.zst", "can't be read as .csv"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, name, told):
    (tmp_path / name).write_bytes(b"\xff\xfenothing of the kind")
    with pytest.raises(InputFileError) as error:
        read_table(tmp_path / name)
    assert told in str(error.value)


def test_a_cut_archive_is_refused(tmp_path: Path):
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(TABLE.encode() * 100)[:-20])
    with pytest.raises(InputFileError, match=r"x\.csv\.gz: can't be read"):
        read_table(path)


@pytest.mark.parametrize(
    "index, told",
    [
        (pd.DatetimeIndex(["2020-01-01"]).tz_localize("UTC"), "dates with a time zone (UTC)"),
        (pd.DatetimeIndex([None]), "row 1 has no date"),
    ],
)
def test_dates_of_another_kind_are_refused(index, told):
    with pytest.raises(InputFileError) as error:
        checked(pd.DataFrame({"A": [1.0]}, index), Path("x.parquet"))
    assert told in str(error.value)


def broken_reader(path: Path) -> pd.DataFrame:
    raise KeyError("column")


def list_reader(path: Path):
    return [1]


def test_a_reader_of_the_user_s_is_named_when_it_fails(tmp_path: Path):
    path = tmp_path / "x.dat"
    path.touch()
    with pytest.raises(
        InputFileError, match=r"x\.dat: .*:broken_reader failed: KeyError: 'column'"
    ):
        read_input(path, broken_reader)
    with pytest.raises(InputFileError, match=r"x\.dat: its reader returned a list, no DataFrame"):
        read_input(path, list_reader)
    with pytest.raises(InputFileError, match=r"y\.dat: no such file"):
        read_input(tmp_path / "y.dat", list_reader)
