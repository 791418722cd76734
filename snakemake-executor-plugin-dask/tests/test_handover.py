"""Handing frames over from job to job."""

from __future__ import annotations

import contextlib
import fcntl
import multiprocessing
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Project, abandoned_spaces

from snakemake_executor_plugin_dask import handover
from snakemake_executor_plugin_dask.worker import HandoverSpace


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "space"
    folder.mkdir()
    monkeypatch.setenv(handover.VARIABLE, f"{folder}:{10 * 2**20}")
    return folder


def written(path: Path, text: str = "file") -> Path:
    path.write_text(text)
    return path


def test_outside_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(handover.VARIABLE, raising=False)
    path = written(tmp_path / "a")
    assert handover.put(path, 1) is False
    assert handover.get(path) is None


@pytest.mark.parametrize("mixed", [False, True])
def test_frame(tmp_path: Path, space: Path, mixed: bool) -> None:
    frame = pd.DataFrame(
        np.random.default_rng(1).normal(size=(50, 4)),
        index=pd.date_range("2020-01-01", periods=50, name="date"),
        columns=pd.Index(list("abcd"), name="share"),
    )
    frame.iloc[3, 2] = np.nan
    if mixed:
        frame["word"] = "text"
        frame["flag"] = True
    path = written(tmp_path / "a")
    assert handover.put(path, frame)
    pd.testing.assert_frame_equal(handover.get(path), frame, check_freq=True)


def test_reader_may_change_its_own(tmp_path: Path, space: Path) -> None:
    path = written(tmp_path / "a")
    handover.put(path, np.zeros(10_000))
    first = handover.get(path)
    first[:] = 1
    assert handover.get(path).sum() == 0


def test_large_arrays_are_not_copied(tmp_path: Path, space: Path) -> None:
    path = written(tmp_path / "a")
    handover.put(path, np.zeros(500_000))
    array = handover.get(path)
    assert not array.flags.owndata
    assert array.ctypes.data % 64 == 0


def test_stale_is_impossible(tmp_path: Path, space: Path) -> None:
    path = written(tmp_path / "a", "one")
    handover.put(path, "value")
    assert handover.get(path) == "value"
    # Written again in place, at once, as long as before: only the time of it differs.
    for attempt in range(200):
        written(path, "two")
        assert handover.get(path) is None, attempt
        handover.put(path, "value")
    replacement = written(tmp_path / "b", "two")
    os.utime(replacement, ns=(0, path.stat().st_mtime_ns))
    replacement.replace(path)
    assert handover.get(path) is None
    path.unlink()
    assert handover.get(path) is None


def test_least_recently_used_goes(tmp_path: Path, space: Path) -> None:
    paths = [written(tmp_path / str(i)) for i in range(4)]
    for path in paths[:3]:
        handover.put(path, np.zeros(400_000))  # 3.2 MB each, of 10 MB
    for entry in space.iterdir():
        os.utime(entry, (1e9, 1e9))  # used long ago, all at once
    assert handover.get(paths[0]) is not None
    handover.put(paths[3], np.zeros(400_000))
    assert sum(file.stat().st_size for file in space.iterdir()) <= 10 * 2**20
    assert handover.get(paths[0]) is not None
    assert handover.get(paths[3]) is not None
    assert handover.put(paths[0], np.zeros(2_000_000)) is False


def test_frames_that_are_put_at_once(tmp_path: Path, space: Path) -> None:
    """What is being written counts: there is never more than the limit."""
    limit = 10 * 2**20
    context = multiprocessing.get_context("fork")
    done, most = context.Event(), context.Value("q", 0)

    def watch() -> None:
        folder = os.open(space, os.O_RDONLY)
        while not done.is_set():
            held = 0
            # With the lock: the files of one moment, not one that has gone and one in its place.
            fcntl.flock(folder, fcntl.LOCK_EX)
            for name in os.listdir(space):  # noqa: PTH208
                with contextlib.suppress(OSError):
                    held += (space / name).stat().st_size
            fcntl.flock(folder, fcntl.LOCK_UN)
            most.value = max(most.value, held)

    def put(number: int) -> None:
        path = written(tmp_path / str(number))
        for _ in range(20):
            handover.put(path, np.zeros(400_000))

    watcher = context.Process(target=watch)
    watcher.start()
    writers = [context.Process(target=put, args=[number]) for number in range(8)]
    for process in writers:
        process.start()
    for process in writers:
        process.join()
    done.set()
    watcher.join()
    assert limit * 0.6 < most.value <= limit
    assert all(not name.startswith(".") for name in os.listdir(space))  # noqa: PTH208


def test_what_a_killed_job_was_writing_makes_room(tmp_path: Path, space: Path) -> None:
    (space / ".half").write_bytes(bytes(9 * 2**20))
    path = written(tmp_path / "a")
    assert handover.put(path, np.zeros(400_000))
    assert handover.get(path) is not None
    assert not (space / ".half").exists()


def test_without_its_folder(tmp_path: Path, space: Path) -> None:
    """A job doesn't fail for it."""
    path = written(tmp_path / "a")
    space.rmdir()
    assert handover.put(path, 1) is False
    assert handover.get(path) is None


def test_space_of_dead_runs_is_swept(tmp_path: Path) -> None:
    dead = tmp_path / "snakemake-dask-0-dead"
    dead.mkdir()
    (tmp_path / "snakemake-dask-0-dead.lock").touch()
    (dead / "frame").write_text("x")
    living = HandoverSpace("run", None, 2**30)
    try:
        HandoverSpace.sweep(tmp_path, "snakemake-dask-0-")
        assert not dead.exists()
        HandoverSpace.sweep(living.path.parent, living.path.name)
        assert living.path.exists()
        assert living.path.stat().st_mode & 0o777 == 0o700
    finally:
        living.remove()
    assert not living.path.exists()


def test_workers_of_a_run_share_their_machine() -> None:
    first, second = (HandoverSpace("shared", None, 2**30) for _ in range(2))
    other = HandoverSpace("other", None, 2**30)
    assert first.path == second.path != other.path
    (first.path / "frame").write_text("x")
    first.remove()
    assert (second.path / "frame").exists()
    second.remove()
    assert not second.path.exists() and not second.path.with_suffix(".lock").exists()
    assert other.path.exists()
    other.remove()


CHAIN = {
    "Snakefile": """
        rule all:
            input: expand("second/{i}.parquet", i=range(3))
        rule first:
            output: "first/{i}.parquet"
            script: "first.py"
        rule second:
            input: "first/{i}.parquet"
            output: "second/{i}.parquet"
            log: "second/{i}.log"
            script: "second.py"
    """,
    "first.py": """
        import numpy, pandas
        from snakemake_executor_plugin_dask import handover
        frame = pandas.DataFrame(numpy.ones((1000, 200)), columns=map(str, range(200)))
        frame.to_parquet(snakemake.output[0])
        handover.put(snakemake.output[0], frame)
    """,
    "second.py": """
        import pandas
        from snakemake_executor_plugin_dask import handover
        frame = handover.get(snakemake.input[0])
        print("handed over" if frame is not None else "read")
        if frame is None:
            frame = pandas.read_parquet(snakemake.input[0])
        (frame * 2).to_parquet(snakemake.output[0])
        # Nobody reads it.
        print(handover.put(snakemake.output[0], frame * 2))
    """,
}


@pytest.mark.parametrize("megabytes", ["100", pytest.param("0", marks=pytest.mark.thorough)])
def test_in_a_run(project: Project, megabytes: str) -> None:
    for name, text in CHAIN.items():
        project.write(name, text)
    run = project.run("--dask-handover-mb", megabytes)
    assert run.code == 0, run.text
    way = "handed over" if megabytes == "100" else "read"
    for i in range(3):
        assert project.read(f"second/{i}.log") == way + "\nFalse\n"
        assert pd.read_parquet(project.path / f"second/{i}.parquet").to_numpy().sum() == 400_000
    # Three frames of 1.6 MB.
    told = r"4\.8\d? MB" if megabytes == "100" else "0 B"
    assert re.search(f", {told} handed over, ", run.text)
    # Other runs here may be at their ends.
    project.wait_for(lambda: abandoned_spaces() == [], 10)
