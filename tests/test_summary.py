"""The pictures of a frame say what is in it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deriv_ops.store import read_summary, write_result
from deriv_ops.summary import LEVELS, MAP_COLUMNS, MAP_ROWS, NONE, summarize

DATES = pd.bdate_range("2020-01-01", periods=320, name="date")


def heights(text: str) -> list[float]:
    """Each character's height between 0 and 1."""
    return [
        float("nan") if c == NONE.decode() else LEVELS.decode().index(c) / (len(LEVELS) - 1)
        for c in text
    ]


def test_the_map_shows_where_values_are_missing():
    values = np.ones((320, 24))
    values[:160, :6] = np.nan  # the first half of the days of a quarter of the shares
    values[160:, ::2] = np.nan  # every other share of the other half
    summary = summarize(pd.DataFrame(values, DATES))
    drawn = np.array([heights(line) for line in summary["map"]])
    assert drawn.shape == (MAP_ROWS, MAP_COLUMNS)
    expected = np.zeros((32, 12))
    expected[:16, :3] = 1
    expected[16:] = 0.5
    np.testing.assert_allclose(drawn, expected, atol=0.01)
    assert summary["missing"] == pytest.approx((0.25 + 0.5) / 2)
    assert (summary["first"], summary["last"]) == ("2020-01-01", "2021-03-23")


def test_numbers_are_drawn_between_the_first_and_the_last_percentile():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(320, 500)), DATES)
    frame.iloc[160:] += 10
    summary = summarize(frame)
    everything = frame.to_numpy()
    low, high = summary["low"], summary["high"]
    assert low == pytest.approx(np.quantile(everything, 0.01), abs=0.2)
    assert high == pytest.approx(np.quantile(everything, 0.99), abs=0.2)
    drawn = np.array([heights(line) for line in summary["quantiles"]]) * (high - low) + low
    # Of the standard normal distribution, which is ten higher in the second half.
    levels = [-1.645, -0.674, 0.0, 0.674, 1.645]
    np.testing.assert_allclose(drawn[:, :16].mean(axis=1), levels, atol=0.15)
    np.testing.assert_allclose(drawn[:, 16:].mean(axis=1), np.add(levels, 10), atol=0.15)
    histogram = heights(summary["histogram"])
    assert max(histogram) == 1
    assert histogram[len(histogram) // 2] == 0  # nothing in between


def test_a_block_of_days_without_values_has_no_quantiles():
    frame = pd.DataFrame(np.ones((320, 4)), DATES)
    frame.iloc[:10] = np.nan
    for line in summarize(frame)["quantiles"]:
        assert line[0] == "." and "." not in line[1:]


def test_a_day_between_others_that_are_missing_is_found():
    frame = pd.DataFrame(np.nan, DATES, list("AB"))
    frame.iloc[::5] = 2.0
    assert "." not in summarize(frame)["quantiles"][0]


@pytest.mark.parametrize(
    "frame, expected",
    [
        (pd.DataFrame({"A": ["x", "y", None, "x"]}), {"groups": {"x": 0.6667, "y": 0.3333}}),
        (pd.DataFrame({"A": [True, False, True, True]}), {"low": 0.0, "high": 1.0}),
        (pd.DataFrame({"A": ["x", None], "B": [1.0, 2.0]}), {"missing": 0.25}),
        (pd.DataFrame({"A": [np.nan, np.nan]}), {"missing": 1.0, "map": ["_", "_"]}),
        (pd.DataFrame({"A": [1.0, np.inf, 2.0]}), {"missing": 0.0, "low": 1.0, "high": 2.0}),
        (pd.DataFrame({"A": [3.0, 3.0]}), {"low": 3.0, "high": 3.0}),
        (pd.DataFrame({"A": [1.0]}).iloc[:0], {"rows": 0, "columns": 1, "missing": 0.0}),
    ],
    ids=["labels", "truth", "mixed", "nothing but missing", "infinite", "one value", "no rows"],
)
def test_frames_of_every_kind(frame: pd.DataFrame, expected: dict):
    assert expected.items() <= summarize(frame).items()


def test_it_is_as_small_for_a_large_frame_and_kept_with_the_result(tmp_path: Path):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(3000, 900)))
    frame = frame.set_axis(pd.bdate_range("2010-01-01", periods=3000)).rename(columns=str)
    summary = write_result(tmp_path / "x.parquet", frame, {"derivation": "X.x"})
    assert len(json.dumps(summary)) < 1000
    assert read_summary(tmp_path / "x.parquet") == ({"derivation": "X.x"}, summary)


@pytest.mark.parametrize("dtype", ["float32", "float64", "Float64", "int64", "bool"])
def test_numbers_of_each_type_are_drawn(dtype: str):
    values = pd.DataFrame({"A": [0, 1, 1], "B": [1, 0, 1]}, DATES[:3]).astype(dtype)
    if dtype == "Float64":
        values.iloc[0, 0] = pd.NA
    summary = summarize(values)
    assert (summary["low"], summary["high"]) == (0.0, 1.0)
    assert summary["missing"] == (round(1 / 6, 6) if dtype == "Float64" else 0.0)
