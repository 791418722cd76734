"""Small frames with every trait that an operator has to stand, the same in every run.

``frame("prices")`` is a copy of the frame of that name; ``FRAMES`` has them all.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

# Two of the tickers are words that careless readers take for a missing value and a boolean.
TICKERS = ["AAL", "BP", "CRH", "DGE", "EXPN", "FLTR", "GSK", "HSBA", "NA", "PSON", "TRUE", "VOD"]
DATES = pd.bdate_range("2015-01-01", periods=300, name="date").as_unit("ns")
SHAPE = (len(DATES), len(TICKERS))


def _wide(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(values, index=DATES, columns=TICKERS, dtype="float64")


def _gaps(values: pd.DataFrame) -> pd.DataFrame:
    """Late listing, early delisting, a suspension, gaps, and a share without any value."""
    values = values.copy()
    random = np.random.default_rng(11)
    values = values.mask(random.random(SHAPE) < 0.02)
    values.loc[: DATES[119], "CRH"] = np.nan
    values.loc[DATES[200] :, "DGE"] = np.nan
    values.loc[DATES[90] : DATES[104], "EXPN"] = np.nan
    values["FLTR"] = np.nan
    return values


def _prices() -> pd.DataFrame:
    """Random walks from 20 to 300, in cents; GSK stands still, HSBA does from row 150 on."""
    random = np.random.default_rng(1)
    daily = random.normal(0.0003, np.linspace(0.005, 0.04, SHAPE[1]), SHAPE)
    prices = _wide((np.linspace(20, 300, SHAPE[1]) * np.exp(daily.cumsum(axis=0))).round(2))
    prices["GSK"] = 87.13
    prices.loc[DATES[150] :, "HSBA"] = 512.1
    return _gaps(prices)


def _returns() -> pd.DataFrame:
    """Daily returns in three blocks that move together, with exact zeros in them."""
    random = np.random.default_rng(2)
    blocks = random.normal(0, 0.01, (SHAPE[0], 3))[:, np.arange(SHAPE[1]) % 3]
    returns = blocks + random.normal(0, 0.007, SHAPE) + np.linspace(-0.002, 0.002, SHAPE[1])
    returns[random.random(SHAPE) < 0.03] = 0.0
    return _gaps(_wide(returns))


def _levels() -> pd.DataFrame:
    """Positive values around four sizes far apart; shares change size in the course of time."""
    random = np.random.default_rng(3)
    sizes = 10.0 ** (np.arange(SHAPE[1]) % 4)
    drift = np.exp(random.normal(0, 0.05, SHAPE).cumsum(axis=0))
    return _gaps(_wide(sizes * drift))


def _counts() -> pd.DataFrame:
    """Whole numbers as int64, none missing; AAL grows by the same step each day."""
    random = np.random.default_rng(4)
    counts = pd.DataFrame(random.integers(-3, 4, SHAPE), index=DATES, columns=TICKERS)
    counts["AAL"] = np.arange(SHAPE[0])
    return counts.iloc[:80]


def _spiky() -> pd.DataFrame:
    """Prices with one mistyped value; BP stands still before and after it."""
    spiky = _prices().iloc[:100]
    spiky["BP"] = 100.1
    spiky.iloc[40, :2] = 1e8
    return spiky


def _infinite() -> pd.DataFrame:
    infinite = _prices().iloc[:60]
    infinite.iloc[[0, 17, 18, 40], 0] = np.inf
    infinite.iloc[[5, 20, 59], 1] = -np.inf
    infinite.iloc[[20, 21], 4] = [np.inf, -np.inf]
    infinite.iloc[41, :] = np.inf
    return infinite


def _other_dates() -> pd.DataFrame:
    """Every other date, beginning before and ending before the others; some other shares."""
    random = np.random.default_rng(5)
    dates = pd.bdate_range("2014-11-03", "2015-12-01", name="date").as_unit("ns")[::2]
    shares = ["ZZZ", *reversed(TICKERS[:9])]
    values = random.normal(50, 5, (len(dates), len(shares)))
    return pd.DataFrame(values, index=dates, columns=shares)


def _sparse_dates() -> pd.DataFrame:
    """Dates with whole months, and once exactly a year, between them."""
    sparse = _prices().iloc[[0, 3, 70, 71, 72, 110, 111, 112, 260, 265]]
    a_year_on = sparse.iloc[-1:].shift(freq=pd.DateOffset(years=1)) * 1.1
    return pd.concat([sparse, a_year_on])


def _lone() -> pd.DataFrame:
    """Shares of one value, and of two, among missing ones."""
    frame = _wide(np.full(SHAPE, np.nan)).iloc[:12].copy()
    frame.iloc[0] = 1.1
    frame.iloc[7, 6:] = 1.3
    return frame


def _sectors() -> pd.DataFrame:
    """One row a share, in an order of their own; VOD isn't there, and BP has no sector."""
    rows = {
        "TRUE": ("Energy", "Oil"),
        "NA": ("NA", "Banks"),
        "HSBA": ("NA", "Banks"),
        "GSK": ("Health Care", None),
        "UNKN": ("Utilities", "Water"),
        "AAL": ("Energy", "Mining"),
        "BP": (None, "Oil"),
        "CRH": ("Materials", "Cement"),
        "DGE": ("Health Care", "Drinks"),
        "EXPN": ("Materials", "Cement"),
        "FLTR": ("Gambling", "Bets"),
        "PSON": ("Energy", "Mining"),
    }
    columns = ["sector", "industry"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns).rename_axis("symbol")


def _labels_number() -> pd.DataFrame:
    """A group a share and month, 0 to 10 or missing; begins late, and ends before the others."""
    random = np.random.default_rng(6)
    months = np.arange(SHAPE[0]) // 21
    labels = _wide(random.choice([0.0, 1.0, 2.0, 10.0], (months[-1] + 1, SHAPE[1]))[months])
    labels = labels.mask(random.random(SHAPE) < 0.1)
    return labels.iloc[30:280, ::-1].drop(columns="PSON")


def _labels_text() -> pd.DataFrame:
    """The same groups by name: missing stays missing, and one is called NA."""
    names = {0.0: "low", 1.0: "mid", 2.0: "high", 10.0: "NA"}
    return _labels_number().astype(object).map(names.get, na_action="ignore")


def _high() -> pd.DataFrame:
    """The day's highest price, to ``prices`` as the close; gaps of its own besides."""
    random = np.random.default_rng(21)
    above = 1 + np.abs(random.normal(0, 0.01, SHAPE))
    high = (_prices() * above).round(2)
    high["GSK"] = 87.13
    return high.mask(random.random(SHAPE) < 0.02)


def _low() -> pd.DataFrame:
    """The day's lowest price, to ``prices`` as the close; gaps of its own besides."""
    random = np.random.default_rng(22)
    below = 1 - np.abs(random.normal(0, 0.01, SHAPE))
    low = (_prices() * below).round(2)
    low["GSK"] = 87.13
    return low.mask(random.random(SHAPE) < 0.02)


def _traded() -> pd.DataFrame:
    """The value traded a day: days without any trade, one of next to nothing, one mistyped."""
    random = np.random.default_rng(23)
    traded = np.exp(random.normal(np.linspace(10, 16, SHAPE[1]), 0.6, SHAPE)).round()
    traded[random.random(SHAPE) < 0.03] = 0.0
    traded[50, 0] = 0.01
    traded[60, 1] = -250.0
    traded[70:80, 6] = 0.0
    return _gaps(_wide(traded))


def _caps() -> pd.DataFrame:
    """Market capitalizations, three of them 0 or mistyped; they change once a week."""
    random = np.random.default_rng(24)
    weeks = np.arange(SHAPE[0]) // 5
    steps = random.normal(0, 0.02, (weeks[-1] + 1, SHAPE[1])).cumsum(axis=0)[weeks]
    caps = (np.logspace(8, 11, SHAPE[1])[::-1] * np.exp(steps)).round()
    caps[12, 0], caps[13, 1], caps[100, 7] = 0.0, -5e9, 0.0
    return _wide(caps).mask(random.random(SHAPE) < 0.03)


def _market() -> pd.DataFrame:
    """A factor: one column, which is none of the shares; begins late and has gaps."""
    random = np.random.default_rng(25)
    values = pd.DataFrame({"FTSE": random.normal(0.0003, 0.009, SHAPE[0])}, index=DATES)
    return values.mask(random.random((SHAPE[0], 1)) < 0.03).iloc[3:]


def _monthly() -> pd.DataFrame:
    """Figures on dates of their own: month ends and days between, weekends among them.

    They begin before the others and end after them. One share more, one that isn't there, one
    that is reported every other time only, one that is reported once, and an infinite figure.
    """
    random = np.random.default_rng(26)
    months = pd.date_range("2014-11-30", "2016-06-30", freq="ME")
    between = pd.DatetimeIndex(["2015-01-01", "2015-02-14", "2015-03-01", "2015-07-09"])
    dates = months.union(between).rename("date").as_unit("ns")
    shares = ["ZZZ", *reversed(TICKERS)]
    monthly = pd.DataFrame(random.normal(5, 2, (len(dates), len(shares))).round(3), dates, shares)
    monthly = monthly.mask(random.random(monthly.shape) < 0.1)
    monthly.loc[dates[::2], "BP"] = np.nan
    monthly.loc[dates != "2015-05-31", "EXPN"] = np.nan
    monthly.loc["2015-06-30", "AAL"] = np.inf
    return monthly.drop(columns="PSON")


def _every_day() -> pd.DataFrame:
    """Prices on Saturdays and Sundays too, through the turn of a year."""
    every_day = _prices().iloc[150:220]
    every_day.index = pd.date_range("2015-11-26", periods=70, name="date").as_unit("ns")
    every_day.iloc[14:30, :2] = np.nan
    return every_day


def _extremes() -> pd.DataFrame:
    """What overflows, what is next to 0, and 0 of either sign."""
    values = [1e308, -1e308, 1.7e308, 1e200, 1e-200, 5e-324, -5e-324, 0.0, -0.0, 1.0, -1.0, 710.0]
    rows = [np.roll(values, 5 * shift) for shift in range(7)]
    return pd.DataFrame(rows, index=DATES[:7], columns=TICKERS)


FRAMES = {
    "prices": _prices(),
    "returns": _returns(),
    "levels": _levels(),
    "counts": _counts(),
    "spiky": _spiky(),
    "infinite": _infinite(),
    "other_dates": _other_dates(),
    "sparse_dates": _sparse_dates(),
    "single_row": _prices().iloc[:1],
    "all_missing": _prices().iloc[:40, [5, 2]],
    "no_rows": _prices().iloc[:0],
    "lone": _lone(),
    "sectors": _sectors(),
    "one_column_table": _sectors()[["industry"]],
    "labels_text": _labels_text(),
    "labels_number": _labels_number(),
    "high": _high(),
    "low": _low(),
    "traded": _traded(),
    "caps": _caps(),
    "market": _market(),
    "monthly": _monthly(),
    "every_day": _every_day(),
    "extremes": _extremes(),
}


def frame(name: str) -> pd.DataFrame:
    """A copy of the frame of that name, to do with as you like."""
    return FRAMES[name].copy()
