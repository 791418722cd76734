"""The sample market: the same for the same seed, like a real one, written whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy.cluster.hierarchy import fcluster, linkage

from deriv_ops.readers import read_table
from deriv_ops.sample import MARKET_FILES, Market, make_market, write_market

TABLES = ("prices", "marketcap", "sectors")


@pytest.fixture(scope="module")
def market() -> Market:
    return make_market(dates=1500, shares=200, seed=4)


@pytest.fixture(scope="module")
def returns(market: Market) -> pd.DataFrame:
    """Log returns; a share of less than 500 of them says too little."""
    returns = np.log(market.prices).diff()
    return returns.loc[:, returns.count() >= 500]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# The same for the same seed


def test_the_same_seed_makes_the_same_bytes_in_any_process(tmp_path: Path):
    write_market(tmp_path / "here", dates=60, shares=12, seed=3)
    for threads, hash_seed in (("1", "1"), ("4", "2")):
        folder = tmp_path / threads
        options = ["--dates", "60", "--shares", "12", "--seed", "3"]
        subprocess.run(
            [sys.executable, "-m", "deriv_ops", "sample", str(folder), *options],
            env={
                "PYTHONPATH": str(Path(__file__).parent.parent),
                "PYTHONHASHSEED": hash_seed,
                "OMP_NUM_THREADS": threads,
                "OPENBLAS_NUM_THREADS": threads,
            },
            check=True,
            timeout=60,
        )
        assert contents(folder) == contents(tmp_path / "here")


def test_another_seed_makes_another_market():
    one, other = make_market(60, 12, seed=3), make_market(60, 12, seed=4)
    for table in TABLES:
        assert not getattr(one, table).equals(getattr(other, table))


@pytest.mark.parametrize("dates", [1, 2, 57, 399])
def test_a_market_of_more_dates_begins_with_that_of_fewer(dates: int):
    longer, shorter = make_market(400, 30, seed=5), make_market(dates, 30, seed=5)
    assert_frame_equal(shorter.prices, longer.prices.iloc[:dates], check_exact=True)
    assert_frame_equal(shorter.marketcap, longer.marketcap.iloc[:dates], check_exact=True)
    assert_frame_equal(shorter.sectors, longer.sectors)


# Like a real market


def test_dates_are_weekdays_without_holidays(market: Market):
    dates = market.prices.index
    assert isinstance(dates, pd.DatetimeIndex)
    assert dates.is_monotonic_increasing
    assert dates.is_unique
    assert dates.day_of_week.max() == 4
    assert not {(1, 1), (12, 25)} & {*zip(dates.month, dates.day, strict=True)}
    assert (np.diff(dates) <= np.timedelta64(5, "D")).all()
    assert make_market(3, 4, start="2020-02-28").prices.index[0] == pd.Timestamp("2020-02-28")


def test_prices_are_positive_cents(market: Market):
    prices = market.prices.stack().dropna()
    assert prices.min() >= 0.01
    assert (prices == prices.round(2)).all()


def test_shares_come_late_leave_early_and_are_away_in_between(market: Market):
    seen = market.prices.notna()
    seen = seen.loc[:, seen.any()]
    first, last = seen.to_numpy().argmax(axis=0), seen.to_numpy()[::-1].argmax(axis=0)
    # A suspension lasts less than 30 days: longer at an end is a late or a short listing.
    assert 0.05 < (first >= 30).mean() < 0.4
    assert 0 < (last >= 30).mean() < 0.2
    assert (first < 30).mean() > 0.5
    runs = []
    for share, begin, end in zip(seen, first, last, strict=True):
        column = seen[share].iloc[begin : len(seen) - end]
        runs.extend((~column).groupby(column.cumsum()).sum())
    lengths = pd.Series(runs)
    assert (lengths == 1).sum() > 100
    assert (lengths >= 5).sum() > 50
    assert 0.9 < seen.loc[:, first < 30].mean().median() < 1


def test_market_caps_are_prices_times_counts_that_change_rarely(market: Market):
    prices, marketcap = market.prices, market.marketcap
    assert not (marketcap.notna() & prices.isna()).any(axis=None)
    assert marketcap.isna().sum().sum() > prices.isna().sum().sum()
    counts = (marketcap / prices).stack().dropna().round()
    assert (counts % 1000 == 0).all()
    changed = counts.groupby(level=1).diff().dropna() != 0
    assert 0 < changed.mean() < 0.01


def test_sectors_are_of_unequal_size_and_a_few_shares_have_none(market: Market):
    sector = market.sectors["sector"]
    sizes = sector.value_counts()
    assert len(sizes) == 11
    assert sizes.max() > 3 * sizes.min()
    for made in (market, make_market(1, 4)):
        assert 1 <= made.sectors["sector"].isna().sum() <= 3
        assert made.sectors.index.equals(made.prices.columns)


def test_shares_move_together_and_more_so_within_a_sector(market: Market, returns: pd.DataFrame):
    correlation = returns.corr(min_periods=250).to_numpy()
    sector = market.sectors["sector"].reindex(returns.columns).to_numpy(object)
    pair = np.triu(np.ones_like(correlation, dtype=bool), 1)
    same = pair & (sector[:, None] == sector[None, :])
    across, within = np.nanmean(correlation[pair & ~same]), np.nanmean(correlation[same])
    assert across > 0.1
    assert within > across + 0.1


def test_returns_have_fat_tails_and_their_volatility_comes_in_spells(returns: pd.DataFrame):
    assert (returns.kurt() > 0).mean() > 0.95
    assert returns.kurt().median() > 1
    market_move = returns.mean(axis=1).abs()
    assert np.mean([market_move.autocorr(lag) for lag in range(1, 11)]) > 0.05


def test_volatilities_of_shares_fall_into_five_levels(market: Market, returns: pd.DataFrame):
    sector = market.sectors["sector"].reindex(returns.columns).dropna()
    # What a share shares with others is only known where there are others.
    sector = sector[sector.map(sector.value_counts()) >= 5]
    own = {}
    for share, label in sector.items():
        peers = returns[sector.index[sector == label].drop(share)]
        moves = pd.DataFrame(
            {"share": returns[share], "all": returns.mean(axis=1), "sector": peers.mean(axis=1)}
        ).dropna()
        factors = moves[["all", "sector"]].to_numpy()
        loadings = np.linalg.lstsq(factors, moves["share"].to_numpy())[0]
        own[share] = np.log((moves["share"] - factors @ loadings).std())
    size = pd.Series(own).sort_values()
    level = fcluster(linkage(size.to_numpy()[:, None], "ward"), 5, "maxclust")
    spread = size.groupby(level).std()
    middle = size.groupby(level).mean().sort_values()
    # Levels lie far apart for how wide they are: even a uniform spread would give sqrt(12) here.
    assert middle.diff().min() > 5 * spread.median()
    assert np.exp(middle.iloc[-1] - middle.iloc[0]) > 3


# Tickers


@pytest.mark.parametrize("shares", [4, 5, 300])
def test_tickers_are_sorted_and_the_awkward_ones_are_there(shares: int):
    tickers = [*make_market(1, shares).prices.columns]
    assert len(tickers) == len({*tickers}) == shares
    assert tickers == sorted(tickers)
    assert {"NA", "TRUE"} <= {*tickers}
    assert all(ticker.isalpha() and ticker.isupper() and len(ticker) <= 4 for ticker in tickers)


# Files


def test_files_hold_the_market_to_the_last_bit(tmp_path: Path):
    paths = write_market(tmp_path / "new" / "market", dates=120, shares=9, seed=2)
    assert [path.name for path in paths] == [*MARKET_FILES]
    assert {*contents(tmp_path / "new" / "market")} == {*MARKET_FILES}
    market = make_market(dates=120, shares=9, seed=2)
    for path, name in zip(paths, TABLES, strict=True):
        made, read = getattr(market, name), read_table(path)
        assert_frame_equal(read, made, check_exact=True, check_dtype=False, check_names=False)
    assert {"NA", "TRUE"} <= {*read.index}


def test_files_are_plain_csv(tmp_path: Path):
    prices, marketcap, sectors = write_market(tmp_path, dates=50, shares=4, seed=1)
    market = make_market(dates=50, shares=4, seed=1)
    tickers = ",".join(market.prices.columns)
    for path, frame in ((prices, market.prices), (marketcap, market.marketcap)):
        lines = path.read_text().splitlines()
        assert lines[0] == f"date,{tickers}"
        assert lines[1].startswith("2015-01-02,")
        missing = [line.split(",").count("") for line in lines[1:]]
        assert missing == [*frame.isna().sum(axis=1)]
    assert sectors.read_text().startswith("symbol,name,sector\n")


def test_a_full_disk_leaves_the_old_files_and_nothing_else(
    tmp_path: Path, run_python: Callable[..., str]
):
    write_market(tmp_path, dates=200, shares=20, seed=1)
    before = contents(tmp_path)
    assert {*before} == {*MARKET_FILES}
    code = f"""
import resource
from deriv_ops.sample import write_market
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    write_market({str(tmp_path)!r}, dates=200, shares=20, seed=2)
except OSError as error:
    print("told:", error)
"""
    assert run_python(code).startswith("told:")
    assert contents(tmp_path) == before


def test_a_file_that_cannot_be_replaced_leaves_nothing_unfinished(tmp_path: Path):
    (tmp_path / "marketcap.csv").mkdir()
    with pytest.raises(OSError, match=r"marketcap\.csv"):
        write_market(tmp_path, dates=20, shares=4, seed=1)
    assert {path.name for path in tmp_path.iterdir()} == {"all_prices.csv", "marketcap.csv"}
    assert len(read_table(tmp_path / "all_prices.csv")) == 20


# Arguments


@pytest.mark.parametrize(("dates", "shares"), [(0, 4), (-1, 10), (1, 3), (1, 0)])
def test_too_small_a_market_is_refused(tmp_path: Path, dates: int, shares: int):
    with pytest.raises(ValueError, match=f"got {dates} and {shares}"):
        write_market(tmp_path, dates, shares, seed=1)
    assert not contents(tmp_path)
