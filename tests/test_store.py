"""Results on disk: read back as they were computed, whole or not at all."""

from __future__ import annotations

import json
import resource
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from deriv_ops.errors import InputFileError, OutputError
from deriv_ops.store import (
    read_provenance,
    read_result,
    read_summary,
    remove_unfinished,
    write_result,
)

DATES = pd.DatetimeIndex(["2020-01-01", "2020-01-03"], name="date").as_unit("us")
FRAMES = {
    "dates x shares": pd.DataFrame({"A": [1.5, np.nan], "NA": [0.1, -0.0]}, DATES),
    "one share in a C-order array": pd.DataFrame(np.ones((2, 1)), DATES, ["A"], copy=False),
    "half precision": pd.DataFrame({"A": [1.5, np.nan], "B": [0.1, 2.0]}, DATES, dtype="float32"),
    "a named axis of shares": pd.DataFrame(
        {"A": [1.5, np.nan], "B": [0.1, 2.0]}, DATES
    ).rename_axis(columns="symbol"),
    "dates of another unit": pd.DataFrame({"A": [1.5, np.nan]}, DATES.as_unit("ns")),
    "labels": pd.DataFrame({"A": ["x", None]}, DATES).astype("str"),
    "a static table": pd.DataFrame(
        {"sector": ["Energy", None], "rank": [1.0, np.nan]}, pd.Index(["TRUE", "NA"], name="symbol")
    ),
    "a name of no index": pd.DataFrame({"A": [1.0]}, pd.Index(["2020"])),
    "no rows": pd.DataFrame({"A": [1.0, 2.0]}, DATES).iloc[:0],
    "no columns": pd.DataFrame(index=DATES),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_a_result_reads_back_as_it_was(tmp_path: Path, frame: pd.DataFrame):
    path = tmp_path / "sub" / "x.parquet"
    write_result(path, frame, {"derivation": "X.x"})
    for read in (pd.read_parquet(path), read_result(path).frame):
        pd.testing.assert_frame_equal(read, frame, check_exact=True, check_freq=True)
    assert read_provenance(path) == read_result(path).provenance == {"derivation": "X.x"}
    assert [p.name for p in path.parent.iterdir()] == ["x.parquet"]


@pytest.mark.parametrize("codec", ["none", "lz4", "zstd", "snappy"])
def test_any_codec_keeps_every_bit(tmp_path: Path, codec: str):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 7)), columns=list("ABCDEFG"))
    frame.index = pd.bdate_range("2020-01-01", periods=50, name="date")
    write_result(tmp_path / "x.parquet", frame, {}, codec)
    written = pq.ParquetFile(tmp_path / "x.parquet").metadata.row_group(0).column(0)
    assert written.compression == {"none": "UNCOMPRESSED"}.get(codec, codec.upper())
    result = read_result(tmp_path / "x.parquet").frame
    pd.testing.assert_frame_equal(result, frame, check_exact=True, check_freq=False)


def test_numbers_are_read_into_rows_without_another_copy(tmp_path: Path):
    write_result(tmp_path / "x.parquet", FRAMES["dates x shares"], {})
    array = read_result(tmp_path / "x.parquet").frame.to_numpy()
    assert array.flags.c_contiguous


def test_the_same_result_is_the_same_bytes(tmp_path: Path):
    for name in ("a", "b"):
        write_result(tmp_path / name, FRAMES["dates x shares"], {"x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_disk_that_is_full_leaves_the_old_result(tmp_path: Path):
    path = tmp_path / "x.parquet"
    write_result(path, FRAMES["dates x shares"], {"run": 1})
    big = pd.DataFrame(np.random.default_rng(0).random((300, 300)))
    big.columns = big.columns.astype("str")
    # The limit on a file's size fails a write in its middle, as a full disk does.
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"x\.parquet: can't be written: .*free some space"):
            write_result(path, big, {"run": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert read_provenance(path) == {"run": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.parquet"]


def test_what_a_killed_writer_left_is_removed(tmp_path: Path, run_python):
    code = f"""
import os, pathlib, signal
import pandas as pd, pyarrow.parquet as pq
from deriv_ops.store import write_result
def killed(table, path, **_):
    pathlib.Path(path).write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
pq.write_table = killed
write_result(pathlib.Path({str(tmp_path / "x.parquet")!r}), pd.DataFrame({{"A": [1.0]}}), {{}})
"""
    run_python(code, returncode=-signal.SIGKILL)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".x.parquet.")
    remove_unfinished(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_result(tmp_path: Path):
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 not much")
    with pytest.raises(
        InputFileError, match=r"x\.parquet: isn't a result that can be read.*remove"
    ):
        read_result(path)
    FRAMES["dates x shares"].to_parquet(path)
    with pytest.raises(InputFileError, match=r"x\.parquet: has no provenance"):
        read_result(path)


@pytest.mark.parametrize("columns", [1, 3000])
def test_what_is_read_of_a_footer_is_what_a_library_reads(tmp_path: Path, columns: int):
    path = tmp_path / "x.parquet"
    # A name that looks like a key, and texts that look like pairs.
    names = ["\x18\x09deriv_ops\x18", *(f"S{i}" for i in range(1, columns))]
    frame = pd.DataFrame(
        np.zeros((2, columns)), pd.to_datetime(["2020-01-01", "2020-01-02"]), names
    )
    provenance = {"derivation": "é" * 40_000, "note": "\x18\x09deriv_ops\x18\x01"}
    summary = write_result(path, frame, provenance)
    metadata = pq.read_metadata(path).metadata
    assert read_summary(path) == (provenance, summary)
    assert json.loads(metadata[b"deriv_ops"]) == provenance
    assert json.loads(metadata[b"deriv_ops_summary"]) == summary


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1\xff\xff\xff\x7fPAR1", b"nothing" * 9])
def test_the_footer_of_a_file_that_is_no_result(tmp_path: Path, content: bytes):
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    with pytest.raises(InputFileError, match=r"x\.parquet: isn't a result.*remove it"):
        read_summary(path)
