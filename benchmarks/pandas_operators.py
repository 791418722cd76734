"""The operators as a quant writes them in pandas: what the benchmarks compare with.

By name and parameters those of `deriv_ops.op`, and by what comes out (`tests/test_benchmarks.py`).
The conventions are left out: inputs are aligned, and nothing in them is infinite.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd


def _rolling(x, window, min_periods):
    return x.rolling(window, min_periods=min_periods)


def _labels(x, groups, by):
    """Return the group of each share, where it's the same on all dates."""
    if groups is None:
        return pd.Series("universe", x.columns)
    column = by or ("sector" if "sector" in groups else groups.columns[0])
    return groups[column].reindex(x.columns)


def _is_static(groups):
    return groups is None or not isinstance(groups.index, pd.DatetimeIndex)


def _transformed(x, groups, by, how, **keywords):
    """For each cell a statistic of its group on that date."""
    if _is_static(groups):
        return x.T.groupby(_labels(x, groups, by)).transform(how, **keywords).T
    return _long(x, groups).transform(how, **keywords).unstack()


def _reduced(x, groups, by, how, **keywords):
    """The statistics of the groups, dates x groups."""
    if _is_static(groups):
        return getattr(x.T.groupby(_labels(x, groups, by)), how)(**keywords).T
    return getattr(_long(x, groups), how)(**keywords).unstack()


def _long(x, groups):
    long = x.stack(future_stack=True)
    return long.groupby([long.index.get_level_values(0), groups.stack(future_stack=True)])


def pctdelta(x, period=1):
    return x.pct_change(period, fill_method=None)


def delta(x, period=1):
    return x.diff(period)


def log_return(x, period=1):
    return np.log(x / x.shift(period))


def lag(x, period=1):
    return x.shift(period)


def moving_average(x, window, min_periods=None):
    return _rolling(x, window, min_periods).mean()


def moving_std(x, window, min_periods=None):
    return _rolling(x, window, min_periods).std()


def moving_var(x, window, min_periods=None):
    return _rolling(x, window, min_periods).var()


def moving_skew(x, window, min_periods=None):
    return _rolling(x, window, min_periods).skew()


def moving_kurt(x, window, min_periods=None):
    return _rolling(x, window, min_periods).kurt()


def moving_sum(x, window, min_periods=None):
    return _rolling(x, window, min_periods).sum()


def moving_min(x, window, min_periods=None):
    return _rolling(x, window, min_periods).min()


def moving_max(x, window, min_periods=None):
    return _rolling(x, window, min_periods).max()


def moving_median(x, window, min_periods=None):
    return _rolling(x, window, min_periods).median()


def moving_quantile(x, window, quantile, min_periods=None):
    return _rolling(x, window, min_periods).quantile(quantile)


def moving_rank(x, window, min_periods=None, pct=True):
    return _rolling(x, window, min_periods).rank(pct=pct)


def moving_argmax(x, window, min_periods=None):
    # What is missing is less than all else, but doesn't count. Backwards, so that of equal values
    # the latest is the first.
    ages = _rolling(x.fillna(x.min(axis=None) - 1), window, 1).apply(
        lambda values: np.argmax(values[::-1]), raw=True
    )
    return ages.where(_rolling(x.notna(), window, 1).sum() >= (min_periods or window))


def moving_argmin(x, window, min_periods=None):
    return moving_argmax(-x, window, min_periods)


def decay_linear(x, window, min_periods=None):
    values, there = x.fillna(0.0), x.notna().astype(float)
    total = weight = 0.0
    for age in range(window):
        total = total + (window - age) * values.shift(age, fill_value=0.0)
        weight = weight + (window - age) * there.shift(age, fill_value=0.0)
    enough = there.rolling(window, min_periods=1).sum() >= (min_periods or window)
    return (total / weight).where(enough)


def ewmmean(x, span, min_periods=0):
    return x.ewm(span=span, min_periods=min_periods).mean()


def ewmstd(x, span, min_periods=0, annualize=False):
    return x.ewm(span=span, min_periods=min_periods).std() * (260**0.5 if annualize else 1.0)


def ewmvar(x, span, min_periods=0):
    return x.ewm(span=span, min_periods=min_periods).var()


def _factor(x, y):
    if y.shape[1] == 1:
        return pd.DataFrame(np.repeat(y.to_numpy(), x.shape[1], axis=1), y.index, x.columns)
    return y


def ewmcorr(x, y, span, min_periods=0):
    return x.ewm(span=span, min_periods=min_periods).corr(_factor(x, y))


def correl(x, y, window, min_periods=None):
    return _rolling(x, window, min_periods).corr(_factor(x, y))


def moving_cov(x, y, window, min_periods=None):
    return _rolling(x, window, min_periods).cov(_factor(x, y))


def beta(x, y, window, min_periods=None):
    y = _factor(x, y).where(x.notna())
    variance = _rolling(y, window, min_periods).var()
    return _rolling(x, window, min_periods).cov(y) / variance


def residual(x, y, window, min_periods=None):
    y = _factor(x, y)
    x, y = x.where(y.notna()), y.where(x.notna())
    mean_x, mean_y = (_rolling(each, window, min_periods).mean() for each in (x, y))
    return x - mean_x - beta(x, y, window, min_periods) * (y - mean_y)


def zscore(x, period=1, min_periods=60, relative=True, window=None):
    change = x.pct_change(period, fill_method=None) if relative else x.diff(period)
    held = (
        change.expanding(min_periods) if window is None else _rolling(change, window, min_periods)
    )
    return (change - held.mean()) / held.std()


def drawdown(x, window=None):
    held = x.expanding(1) if window is None else x.rolling(window, 1)
    return x / held.max() - 1


def rsi(x, period=14):
    change = x.diff()
    gain = change.clip(lower=0).ewm(alpha=1 / period, min_periods=period).mean()
    loss = (-change).clip(lower=0).ewm(alpha=1 / period, min_periods=period).mean()
    return (100 * gain / (gain + loss)).where(change.notna())


def macd(x, fast=12, slow=26, signal=9, output="line"):
    line = x.ewm(span=fast, min_periods=slow).mean() - x.ewm(span=slow, min_periods=slow).mean()
    line = line.where(x.notna())
    if output == "line":
        return line
    smooth = line.ewm(span=signal, min_periods=signal).mean().where(x.notna())
    return smooth if output == "signal" else line - smooth


def bollinger_position(x, window=20, min_periods=None, width=2.0):
    held = _rolling(x, window, min_periods)
    return (x - held.mean()) / (width * held.std())


def atr(high, low, close, period=14):
    before = close.shift(1)
    reach = np.fmax(high - low, np.fmax((high - before).abs(), (low - before).abs()))
    reach = reach.where(high.notna() & low.notna())
    return reach.ewm(alpha=1 / period, min_periods=period).mean().where(reach.notna())


def amihud(returns, traded, window=20, min_periods=None):
    return _rolling(returns.abs() / traded.where(traded > 0), window, min_periods).mean()


def turnover(traded, cap, window=1, min_periods=None):
    return _rolling(traded / cap.where(cap > 0), window, min_periods).mean()


def calc_dev_by(x, groups=None, do_reduce=False, time_varying=False, by=None):
    if do_reduce:
        return _reduced(x, groups, by, "mean")
    return x - _transformed(x, groups, by, "mean")


def zscore_by(x, groups=None, by=None):
    return calc_dev_by(x, groups, by=by) / _transformed(x, groups, by, "std")


def rank(x, groups=None, pct=True, by=None):
    if groups is None:
        return x.rank(axis=1, pct=pct)
    return _transformed(x, groups, by, "rank", pct=pct)


def winsorize(x, groups=None, lower=0.01, upper=0.99, by=None):
    if groups is None:
        return x.clip(x.quantile(lower, axis=1), x.quantile(upper, axis=1), axis=0)
    least = _transformed(x, groups, by, "quantile", q=lower)
    return x.clip(least, _transformed(x, groups, by, "quantile", q=upper)).where(least.notna())


def quantile_bucket(x, groups=None, buckets=5, by=None):
    # Whole numbers throughout: nothing is rounded.
    doubled = 2 * rank(x, groups, pct=False, by=by) - 1
    if groups is None:
        return (buckets * doubled).floordiv(2 * x.notna().sum(axis=1), axis=0)
    return (buckets * doubled) // (2 * _transformed(x, groups, by, "count"))


def weighted_mean(x, weights, groups=None, do_reduce=False, by=None):
    weights = weights.where(x.notna() & (weights > 0))
    total = _reduced if do_reduce else _transformed
    mean = total(x * weights, groups, by, "sum", min_count=1) / total(
        weights, groups, by, "sum", min_count=1
    )
    return mean if do_reduce else mean.where(x.notna())


def neutralize(x, *exposures):
    exposures = [exposure.to_numpy() for exposure in exposures]
    result = np.full(x.shape, np.nan)
    for row, values in enumerate(x.to_numpy()):
        design = np.column_stack([np.ones(x.shape[1]), *(e[row] for e in exposures)])
        there = ~np.isnan(values) & ~np.isnan(design).any(axis=1)
        if there.sum() > design.shape[1]:
            coefficients = np.linalg.lstsq(design[there], values[there], rcond=None)[0]
            result[row, there] = values[there] - design[there] @ coefficients
    return pd.DataFrame(result, x.index, x.columns)


def top(x, count):
    return (x.rank(axis=1, ascending=False, method="min") <= count).astype(float).where(x.notna())


def mask(x, condition):
    return x.where(condition.fillna(0) != 0)


def between(x, lower=None, upper=None):
    inside = (x >= (-np.inf if lower is None else lower)) & (
        x <= (np.inf if upper is None else upper)
    )
    return inside.astype(float).where(x.notna())


def add(x, *others):
    return sum(others, x)


def subtract(x, y):
    return x - y


def multiply(x, *others):
    for other in others:
        x = x * other
    return x


def divide(x, y):
    return x / y.where(y != 0)


def average(x, *others):
    return pd.concat([x, *others]).groupby(level=0).mean()


def compare(x, y, how):
    found = {">": x > y, ">=": x >= y, "<": x < y, "<=": x <= y, "==": x == y, "!=": x != y}[how]
    return found.astype(float).where(x.notna() & y.notna())


def scale(x, factor=1.0, offset=0.0):
    return x * factor + offset


def transform(x, function):
    functions = {"abs": np.abs, "log": np.log, "sqrt": np.sqrt, "sign": np.sign, "exp": np.exp}
    functions |= {"square": np.square, "reciprocal": lambda value: 1 / value}
    return functions[function](x)


def fill(x, limit):
    return x.ffill(limit=limit)


def resample(x, period="month", how="last"):
    rule = {"week": "W", "month": "ME", "quarter": "QE", "year": "YE"}[period]
    return getattr(x.resample(rule), how)().shift(1).reindex(x.index, method="bfill")


def as_of(x, table, delay=0, max_age=None):
    delayed = table.set_axis(table.index + pd.Timedelta(days=delay)).reindex(columns=x.columns)
    known = delayed.ffill().reindex(x.index, method="ffill")
    if max_age is None:
        return known
    days = pd.DataFrame(0.0, delayed.index, x.columns).add((table.index - table.index[0]).days, 0)
    since = days.where(delayed.notna()).ffill().reindex(x.index, method="ffill")
    age = -since.sub(pd.Series((x.index - table.index[0]).days, x.index), axis=0)
    return known.where(age <= max_age)


def get_clusters(x, levels=5, end_date=None):
    from scipy.cluster.hierarchy import fcluster, linkage

    def of_month(values):
        there = values.dropna()
        if len(there) < 2:
            return (0 * there).reindex(values.index)
        groups = fcluster(linkage(there.to_numpy()[:, None], "ward"), levels, "maxclust")
        order = there.groupby(groups).mean().rank() - 1
        return pd.Series(order.reindex(groups).to_numpy(), there.index).reindex(values.index)

    month = pd.factorize(x.index.to_period("M"))[0]
    ends = x.groupby(month).tail(1).loc[:end_date].apply(of_month, axis=1)
    made = np.vstack([np.full(x.shape[1], np.nan), ends])[month.clip(max=len(ends))]
    return pd.DataFrame(made, x.index, x.columns).where(x.notna())


def wait_for_dask(x, seconds=1.0):
    time.sleep(seconds)
    return x
