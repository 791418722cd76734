"""Sample tables for the `medium` and the `full` catalog, beside the market of `deriv_ops.sample`.

Prices, volumes, fundamentals, monthly scores and signals that go with the sample market: reported
figures change once a quarter, scores come at the ends of months, each has gaps of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deriv_ops.catalogs.tables import FUNDAMENTALS, SCORES, SIGNALS, Inputs
from deriv_ops.locations import location
from deriv_ops.parquet import is_plain, write_frame
from deriv_ops.sample import Market, make_market
from deriv_ops.store import whole

TABLE_FILES = tuple(
    member.filename  # type: ignore[union-attr]
    for group in (
        Inputs.market,
        Inputs.signals,
        Inputs.fundamentals,
        Inputs.scores,
        Inputs.static,
    )
    for member in group
)
QUARTER = 63
_COUNTRIES = ("US", "UK", "DE", "FR", "JP", "CH")


def write_tables(folder: str | Path, dates: int, shares: int, seed: int) -> list[Path]:
    """Write all 276 tables as Parquet, each whole or not at all, and return their paths.

    The same seed makes the same tables. They take dates x shares x 8 bytes each, those of scores a
    twentieth of it.
    """
    paths = []
    for name, table in _tables(make_market(dates, shares, seed), seed):
        path = location(folder) / name
        with whole(path) as unfinished:
            if is_plain(table):
                with unfinished.open("wb") as file:
                    write_frame(file, table, {})
            else:
                table.to_parquet(unfinished)
        paths.append(path)
    return paths


def _tables(market: Market, seed: int) -> Iterator[tuple[str, pd.DataFrame]]:
    market_rng, signal_rng, figure_rng, score_rng = np.random.default_rng(seed + 1).spawn(4)
    for name, values in _market(market_rng, market):
        yield f"market/{name}.parquet", _like(market, values)
    for name, stream in zip(SIGNALS, signal_rng.spawn(len(SIGNALS)), strict=True):
        yield f"signals/{name}.parquet", _like(market, _signal(stream, name, market))
    for name, stream in zip(FUNDAMENTALS, figure_rng.spawn(len(FUNDAMENTALS)), strict=True):
        yield f"fundamentals/{name}.parquet", _like(market, _figure(stream, name, market))
    for name, stream in zip(SCORES, score_rng.spawn(len(SCORES)), strict=True):
        yield f"scores/{name}.parquet", _score(stream, market)
    sectors = market.sectors
    number = np.arange(len(sectors))
    industries = [
        f"{sector} {i % 4}" if sector else None for i, sector in enumerate(sectors.sector)
    ]
    yield "static/Sectors.parquet", sectors
    yield "static/Industries.parquet", pd.DataFrame({"industry": industries}, sectors.index)
    countries = [_COUNTRIES[i % len(_COUNTRIES)] for i in number]
    yield "static/Countries.parquet", pd.DataFrame({"country": countries}, sectors.index)


def _like(market: Market, values: NDArray[np.float64]) -> pd.DataFrame:
    frame = np.where(market.prices.isna().to_numpy(), np.nan, values)
    return pd.DataFrame(frame, market.prices.index, market.prices.columns, copy=False)


def _market(rng: np.random.Generator, market: Market) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield what a day of trading leaves, in the order of `catalogs.tables.MARKET`."""
    close = market.prices.to_numpy()
    shape = close.shape
    streams = rng.spawn(7)
    before = np.vstack([close[:1], close[:-1]])
    start = before * np.exp(0.005 * streams[0].standard_normal(shape))
    high = np.fmax(start, close) * (1 + 0.006 * streams[1].random(shape))
    low = np.fmin(start, close) * (1 - 0.006 * streams[1].random(shape))
    # Busy days follow one another, and what is dear is traded less.
    pace = streams[2].standard_normal(shape)
    for row in range(1, shape[0]):
        pace[row] = 0.7 * pace[row - 1] + 0.7 * pace[row]
    volume = np.round(2e7 / np.sqrt(close) * np.exp(0.5 * pace))
    outstanding = np.round(market.marketcap.to_numpy() / close, -3)
    vwap = (high + low + close) / 3
    free = np.clip(0.4 + 0.5 * streams[3].random(shape[1]), 0, 1)
    yield "open", np.round(start, 2)
    yield "high", np.round(high, 2)
    yield "low", np.round(low, 2)
    yield "close", close
    yield "vwap", np.round(vwap, 3)
    yield "volume", volume
    yield "traded", np.round(volume * vwap)
    yield "marketcap", market.marketcap.to_numpy()
    yield "outstanding", outstanding
    yield "free_float", outstanding * free
    yield "short_interest", np.round(outstanding * 0.05 * streams[4].random(shape))
    yield "spread", np.round(1e-4 * (1 + 20 * streams[5].random(shape)), 6)


def _signal(rng: np.random.Generator, name: str, market: Market) -> NDArray[np.float64]:
    shape = market.prices.shape
    if name.endswith("count"):
        return rng.poisson(3.0, shape).astype(np.float64)
    values = rng.standard_normal(shape)
    if name.endswith("level"):
        values = values.cumsum(axis=0) * 0.1 + 10
    values[rng.random(shape) < 0.1] = np.nan
    return values


def _figure(rng: np.random.Generator, name: str, market: Market) -> NDArray[np.float64]:
    """A figure that is reported each quarter, on a day of each share's own."""
    rows, shares = market.prices.shape
    quarters = rows // QUARTER + 2
    if name.endswith(("revised", "surprise")):
        figures = 0.05 * rng.standard_normal((quarters, shares))
    else:
        growth = 0.02 + 0.06 * rng.standard_normal((quarters, shares))
        figures = np.round(rng.lognormal(19.0, 1.5, shares) * np.exp(growth.cumsum(axis=0)), -3)
    figures[rng.random((quarters, shares)) < 0.05] = np.nan
    since = (np.arange(rows)[:, None] + rng.integers(0, QUARTER, shares)) // QUARTER
    known: NDArray[np.float64] = np.take_along_axis(figures, since, axis=0)
    return known


def _score(rng: np.random.Generator, market: Market) -> pd.DataFrame:
    """Marks from 0 to 100 at the ends of months; most stay as they were."""
    dates = pd.DatetimeIndex(market.prices.index)
    ends = dates[np.append(np.diff(dates.year * 12 + dates.month) > 0, True)]
    shape = (len(ends), market.prices.shape[1])
    steps = np.where(rng.random(shape) < 0.15, 8 * rng.standard_normal(shape), 0.0)
    marks = np.round(np.clip(rng.uniform(20, 80, shape[1]) + steps.cumsum(axis=0), 0, 100), 1)
    marks[rng.random(shape) < 0.08] = np.nan
    return pd.DataFrame(marks, ends, market.prices.columns, copy=False)
