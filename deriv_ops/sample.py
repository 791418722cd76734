"""A market to try things on: realistic tables of any size, the same for the same seed.

Returns follow factors (Sharpe 1963): a market factor whose volatility changes between calm and
stormy regimes, one factor for each sector and a part of its own for each share, at one of five
levels of volatility. Shares are listed late, delisted early, suspended and missing on single days.

Every number is drawn row by row, so a market of more dates begins with that of fewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deriv_ops.locations import location
from deriv_ops.store import whole

MARKET_FILES = ("all_prices.csv", "marketcap.csv", "Sectors.csv")

# Sectors of the GICS standard, with the weights by which shares fall into them.
_SECTORS = {
    "Information Technology": 15,
    "Industrials": 15,
    "Financials": 14,
    "Health Care": 13,
    "Consumer Discretionary": 12,
    "Consumer Staples": 7,
    "Real Estate": 6,
    "Utilities": 6,
    "Materials": 5,
    "Communication Services": 4,
    "Energy": 3,
}
# Tickers that a careless reader takes for a truth value and for a missing one.
_AWKWARD_TICKERS = ("NA", "TRUE")
# Daily volatilities of the shares' own part.
_OWN_VOLATILITY = (0.006, 0.010, 0.016, 0.026, 0.042)


@dataclass(frozen=True)
class Market:
    """Prices and market caps by dates x shares, and the sectors by share; NaN is missing."""

    prices: pd.DataFrame
    marketcap: pd.DataFrame
    sectors: pd.DataFrame


def make_market(
    dates: int = 780, shares: int = 100, seed: int = 1, start: str = "2015-01-01"
) -> Market:
    """Make a market of `dates` business days and `shares` shares.

    Prices are in a currency, rounded to cents, market caps in the same currency. A price is missing
    before a share's listing, after its delisting, in suspensions and on single days; a market cap
    there and before the first report of its share count; a sector for one share and one more
    in each hundred. Dates are weekdays without a few holidays, from `start` on. Raises `ValueError`
    for less than 1 date or 4 shares.

    >>> market = make_market(dates=300, shares=8)
    >>> market.prices.shape, list(market.sectors.columns)
    ((300, 8), ['name', 'sector'])
    """
    if dates < 1 or shares < 4:
        raise ValueError(f"a market has 1 date and 4 shares at least, got {dates} and {shares}")
    # A stream for each concern: one that draws more doesn't change the others.
    streams = np.random.default_rng(seed).spawn(5)
    tickers = _tickers(streams[0], shares)
    sector = streams[1].choice(len(_SECTORS), shares, p=np.array([*_SECTORS.values()]) / 100)
    returns = _returns(streams[2], dates, sector)
    first_price = streams[1].lognormal(3.7, 0.7, shares)
    prices = np.maximum(np.round(first_price * np.exp(returns.cumsum(axis=0)), 2), 0.01)
    prices[~_observed(streams[3], dates, shares)] = np.nan
    # By numpy, without a frequency: pandas keeps one for a market too short to have a holiday.
    days = pd.DatetimeIndex(_business_days(start, dates).to_numpy(), name="date").as_unit("us")
    names = [
        f"{ticker.title()} {'Group' if i % 2 else 'Corp.'}" for i, ticker in enumerate(tickers)
    ]
    labels = np.array([*_SECTORS, None], dtype=object)
    # A few shares of no sector.
    sector[streams[1].choice(shares, 1 + shares // 100, replace=False)] = len(_SECTORS)
    return Market(
        prices=pd.DataFrame(prices, days, tickers),
        marketcap=pd.DataFrame(prices * _share_counts(streams[4], dates, shares), days, tickers),
        sectors=pd.DataFrame(
            {"name": names, "sector": labels[sector]}, pd.Index(tickers, name="symbol")
        ),
    )


def write_market(folder: str | Path, dates: int, shares: int, seed: int) -> list[Path]:
    """Write a market's three CSV files, each whole or not at all, and return their paths."""
    market = make_market(dates, shares, seed)
    paths = [location(folder) / name for name in MARKET_FILES]
    tables = (market.prices, market.marketcap, market.sectors)
    for path, table in zip(paths, tables, strict=True):
        with whole(path) as unfinished:
            table.to_csv(unfinished, date_format="%Y-%m-%d", lineterminator="\n")
    return paths


def _tickers(rng: np.random.Generator, shares: int) -> list[str]:
    tickers = set(_AWKWARD_TICKERS)
    letters = [chr(code) for code in range(ord("A"), ord("Z") + 1)]
    while len(tickers) < shares:
        length = rng.choice([1, 2, 3, 4], p=[0.02, 0.1, 0.58, 0.3])
        tickers.add("".join(rng.choice(letters, length)))
    return sorted(tickers)


def _business_days(start: str, dates: int) -> pd.DatetimeIndex:
    """Weekdays without New Year's Day, Christmas and the last Monday of May."""
    days = pd.bdate_range(start, periods=dates + dates // 50 + 20)
    fixed = ((days.month == 1) & (days.day == 1)) | ((days.month == 12) & (days.day == 25))
    spring = (days.month == 5) & (days.day > 24) & (days.day_of_week == 0)
    return days[~(fixed | spring)][:dates]


def _returns(
    rng: np.random.Generator, dates: int, sector: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Log returns, dates x shares."""
    shares = len(sector)
    by_row, by_share = rng.spawn(2)
    beta = by_share.normal(1.0, 0.3, shares)
    own_volatility = by_share.choice(_OWN_VOLATILITY, shares)
    factors = 1 + len(_SECTORS)
    # Each stream is drawn once, row by row: more dates don't change the rows before them.
    switches, by_factor, by_own = by_row.spawn(3)
    stormy = np.zeros(dates, dtype=bool)
    state = False
    for row, draw in enumerate(switches.random(dates)):
        state = draw < (0.97 if state else 0.01)
        stormy[row] = state
    storm = np.where(stormy, 2.5, 1.0)[:, None]
    shocks = by_factor.standard_normal((dates, factors)) * storm
    own = by_own.standard_t(5, (dates, shares)) * np.sqrt(3 / 5) * own_volatility * storm**0.5
    result: NDArray[np.float64] = (
        0.0002 + 0.007 * beta * shocks[:, :1] + 0.006 * shocks[:, 1:][:, sector] + own
    )
    return result


def _observed(rng: np.random.Generator, dates: int, shares: int) -> NDArray[np.bool_]:
    """Whether a share has a price on a date."""
    row = np.arange(dates)[:, None]
    listed = np.where(rng.random(shares) < 0.8, 0, rng.integers(20, 1500, shares))
    delisted = np.where(rng.random(shares) < 0.92, 2**31, listed + rng.integers(250, 4000, shares))
    gaps, suspensions, lengths = rng.spawn(3)
    starts = suspensions.random((dates, shares)) < 0.0004
    length = lengths.integers(2, 30, (dates, shares))
    # A row is suspended while the latest end of a suspension that began so far is ahead of it.
    until = np.maximum.accumulate(np.where(starts, row + length, 0), axis=0)
    return (
        (row >= listed) & (row < delisted) & (row >= until) & (gaps.random((dates, shares)) > 0.002)
    )


def _share_counts(rng: np.random.Generator, dates: int, shares: int) -> NDArray[np.float64]:
    """Shares outstanding, missing before the first report of them."""
    first = np.round(rng.lognormal(19.0, 1.0, shares), -3)
    reported = np.where(rng.random(shares) < 0.7, 0, rng.integers(1, 400, shares))
    changes, sizes = rng.spawn(2)
    issued = changes.random((dates, shares)) < 0.004
    growth = np.where(issued, sizes.normal(1.0, 0.02, (dates, shares)), 1.0).cumprod(axis=0)
    counts: NDArray[np.float64] = np.round(first * growth, -3)
    counts[np.arange(dates)[:, None] < reported] = np.nan
    return counts
