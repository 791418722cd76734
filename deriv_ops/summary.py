"""What a frame holds, small enough to be kept with it and shown as a picture.

All but the share of missing values is of a sample of rows and columns, so that the cost doesn't
grow with the frame. Pictures are texts with one character a cell: its place in `LEVELS` is its
height.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LEVELS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
# Stands for a cell without any value.
NONE = b"."
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# Cells of the map of missing values, and so of the quantiles over time.
MAP_ROWS, MAP_COLUMNS = 32, 12
# Of each cell's rows this many are looked at, and of all columns at most so many.
ROWS_A_CELL, MOST_COLUMNS = 4, 128
BINS = 24
GROUPS = 8

_CHARACTERS = np.frombuffer(LEVELS + NONE, dtype="S1")


def summarize(frame: pd.DataFrame, missing: float | None = None) -> dict[str, Any]:
    """Return the size of a frame, its share of missing values, and its pictures.

    When the share is known already, only the sample of the frame is read.

    `map` is the share of missing values, one text for each of some blocks of rows, with a
    character for each of some blocks of columns. Of numbers there are a `histogram` between the
    first and the last percentile, and `quantiles`, a text for each of `QUANTILES`, with a
    character for each block of rows; both from `low` to `high`. Of anything else, `groups` are the
    most frequent values with their shares.

    >>> frame = pd.DataFrame({"A": [1.0, 2.0, np.nan], "B": [3.0, 4.0, 5.0]})
    >>> summary = summarize(frame)
    >>> summary["rows"], summary["columns"], round(summary["missing"], 3)
    (3, 2, 0.167)
    >>> summary["map"], summary["low"], summary["high"]
    (['00', '00', '_0'], 1.0, 5.0)

    """
    rows, columns = frame.shape
    size = {"rows": rows, "columns": columns}
    if not frame.size:
        return {**size, "missing": 0.0}
    dtypes = frame.dtypes.unique()
    # Of one float type, as nearly all results: then only the cells themselves are touched.
    is_plain = len(dtypes) == 1 and dtypes[0] in ("float64", "float32")
    if missing is None:
        absent = np.isnan(frame.to_numpy()) if is_plain else frame.isna().to_numpy()
        missing = int(np.count_nonzero(absent)) / frame.size
    summary: dict[str, Any] = {**size, "missing": round(missing, 6), **_span(frame.index)}
    # Blocks of rows, and in each of them the same number of rows.
    blocks = min(rows, MAP_ROWS)
    row_indices = _spread(rows, blocks * min(ROWS_A_CELL, rows // blocks))
    columns_sampled = sampled_columns(columns)
    if is_plain:
        cells = frame.to_numpy()[np.ix_(row_indices, columns_sampled)]
        absent = np.isnan(cells)
    else:
        sample = frame.iloc[row_indices, columns_sampled]
        absent = sample.isna().to_numpy()
        is_number = all(dtype.kind in "fiub" for dtype in sample.dtypes.unique())
        cells = sample.to_numpy(dtype="float64" if is_number else None)
    absent = absent.reshape(blocks, -1, len(columns_sampled))
    edges = _spread(len(columns_sampled), min(len(columns_sampled), MAP_COLUMNS))
    shares = np.add.reduceat(absent.mean(axis=1), edges, axis=1)
    widths = np.diff([*edges, len(columns_sampled)])
    summary["map"] = _texts(shares / widths, 0.0, 1.0)
    if cells.dtype.kind == "f":
        values = cells.astype("float64").reshape(absent.shape)
        # Input tables may hold infinite values, which count as missing.
        return {**summary, **_numbers(np.where(np.isfinite(values), values, np.nan), absent)}
    counts = pd.Series(cells.ravel()).value_counts(normalize=True).head(GROUPS)
    groups = {str(label): round(share, 4) for label, share in counts.items()}
    return {**summary, "groups": groups}


def sampled_columns(columns: int) -> NDArray[np.intp]:
    """Return the places of the columns that are looked at, of so many."""
    return _spread(columns, min(columns, MOST_COLUMNS))


def _numbers(values: NDArray[np.float64], absent: NDArray[np.bool_]) -> dict[str, Any]:
    """Draw the values of rows in blocks, of each block by its fullest row."""
    fullest = absent.sum(axis=2).argmin(axis=1)
    rows = np.sort(values[np.arange(len(values)), fullest], axis=1)  # missing ones go last
    counts = (~np.isnan(rows)).sum(axis=1)
    present = np.sort(rows[~np.isnan(rows)])
    if not present.size:
        return {}
    low, high = present[int(0.01 * (len(present) - 1))], present[-1 - int(0.01 * (len(present)))]
    heights = np.histogram(present, BINS, (low, high))[0].astype(float)
    places = (np.multiply.outer(QUANTILES, counts - 1)).clip(0).astype(int)
    quantiles = np.where(counts > 0, rows[np.arange(len(rows)), places], np.nan)
    return {
        "low": _rounded(low),
        "high": _rounded(high),
        "histogram": _texts(heights[np.newaxis], 0.0, max(1.0, heights.max()))[0],
        "quantiles": _texts(quantiles, low, high),
    }


def _texts(values: NDArray[np.float64], low: float, high: float) -> list[str]:
    """Return a text for each row of values."""
    heights = ((values - low) / (high - low or 1.0)).clip(0.0, 1.0) * (len(LEVELS) - 1)
    places = np.where(np.isnan(heights), len(LEVELS), np.rint(heights)).astype(int)
    text = _CHARACTERS[places].tobytes().decode()
    width = values.shape[1]
    return [text[at : at + width] for at in range(0, len(text), width)]


def _span(index: pd.Index) -> dict[str, str]:
    if not isinstance(index, pd.DatetimeIndex):
        return {}
    return {"first": str(index[0].date()), "last": str(index[-1].date())}


def _spread(length: int, count: int) -> NDArray[np.intp]:
    return (np.arange(count) * length // count).astype(np.intp)


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
