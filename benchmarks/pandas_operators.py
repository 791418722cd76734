"""The operators as a quant writes them in pandas: what the benchmarks compare with.

By name and parameters those of `deriv_ops.op`; the conventions are left out.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd


def _rolling(x, window, min_periods):
    return x.rolling(window, min_periods=min_periods)


def _codes(x, groups, by=None):
    if groups is None:
        return None
    if not isinstance(groups.index, pd.DatetimeIndex):
        by = by or ("sector" if "sector" in groups else groups.columns[0])
        return groups[by].reindex(x.columns)
    return groups


def _grouped(x, groups, by, function):
    """Apply a function of a pandas group-by, as transform does, to the groups of each date."""
    codes = _codes(x, groups, by)
    if codes is None:
        return function(x.T.groupby(np.zeros(x.shape[1]))).T
    if isinstance(codes, pd.Series):
        return function(x.T.groupby(codes)).T.reindex(columns=x.columns)
    long = x.stack(future_stack=True)
    labels = codes.stack(future_stack=True)
    return function(long.groupby([long.index.get_level_values(0), labels])).unstack()


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


def _age(x, window, min_periods, arg):
    def of_window(values):
        return len(values) - 1 - arg(values)

    return _rolling(x, window, min_periods).apply(of_window, raw=True)


def moving_argmax(x, window, min_periods=None):
    return _age(x.fillna(-np.inf), window, min_periods, np.argmax)


def moving_argmin(x, window, min_periods=None):
    return _age(x.fillna(np.inf), window, min_periods, np.argmin)


def decay_linear(x, window, min_periods=None):
    weights = np.arange(1.0, window + 1)
    result = sum(x.shift(window - i) * weight for i, weight in enumerate(weights, 1))
    return result / weights.sum()


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
    y = _factor(x, y)
    return _rolling(x, window, min_periods).cov(y) / _rolling(y, window, min_periods).var()


def residual(x, y, window, min_periods=None):
    y = _factor(x, y)
    slope = beta(x, y, window, min_periods)
    mean_x = _rolling(x, window, min_periods).mean()
    return x - mean_x - slope * (y - _rolling(y, window, min_periods).mean())


def zscore(x, period=1, min_periods=60, relative=True, window=None):
    change = x.pct_change(period, fill_method=None) if relative else x.diff(period)
    held = change.expanding(min_periods) if window is None else change.rolling(window, min_periods)
    return (change - held.mean()) / held.std()


def drawdown(x, window=None):
    held = x.expanding(1) if window is None else x.rolling(window, 1)
    return x / held.max() - 1


def rsi(x, period=14):
    change = x.diff()
    gain = change.clip(lower=0).ewm(alpha=1 / period, min_periods=period).mean()
    loss = (-change).clip(lower=0).ewm(alpha=1 / period, min_periods=period).mean()
    return 100 * gain / (gain + loss)


def macd(x, fast=12, slow=26, signal=9, output="line"):
    line = x.ewm(span=fast, min_periods=slow).mean() - x.ewm(span=slow, min_periods=slow).mean()
    if output == "line":
        return line
    smooth = line.ewm(span=signal, min_periods=signal).mean()
    return smooth if output == "signal" else line - smooth


def bollinger_position(x, window=20, min_periods=None, width=2.0):
    held = _rolling(x, window, min_periods)
    return (x - held.mean()) / (width * held.std())


def atr(high, low, close, period=14):
    before = close.shift(1)
    reach = np.fmax(high - low, np.fmax((high - before).abs(), (low - before).abs()))
    return reach.ewm(alpha=1 / period, min_periods=period).mean()


def amihud(returns, traded, window=20, min_periods=None):
    return _rolling(returns.abs() / traded.where(traded > 0), window, min_periods).mean()


def turnover(traded, cap, window=1, min_periods=None):
    return _rolling(traded / cap.where(cap > 0), window, min_periods).mean()


def calc_dev_by(x, groups=None, do_reduce=False, time_varying=False, by=None):
    if do_reduce:
        return x.T.groupby(_codes(x, groups, by)).mean().T
    return x - _grouped(x, groups, by, lambda grouped: grouped.transform("mean"))


def zscore_by(x, groups=None, by=None):
    mean = _grouped(x, groups, by, lambda grouped: grouped.transform("mean"))
    return (x - mean) / _grouped(x, groups, by, lambda grouped: grouped.transform("std"))


def rank(x, groups=None, pct=True, by=None):
    if groups is None:
        return x.rank(axis=1, pct=pct)
    return _grouped(x, groups, by, lambda grouped: grouped.rank(pct=pct))


def winsorize(x, groups=None, lower=0.01, upper=0.99, by=None):
    return x.clip(x.quantile(lower, axis=1), x.quantile(upper, axis=1), axis=0)


def quantile_bucket(x, groups=None, buckets=5, by=None):
    count = x.notna().sum(axis=1)
    return (x.rank(axis=1) - 0.5).div(count, axis=0).mul(buckets) // 1


def weighted_mean(x, weights, groups=None, do_reduce=False, by=None):
    weights = weights.where(x.notna() & (weights > 0))
    if groups is None:
        return ((x * weights).sum(axis=1) / weights.sum(axis=1)).to_frame("universe")
    codes = _codes(x, groups, by)
    return ((x * weights).T.groupby(codes).sum() / weights.T.groupby(codes).sum()).T


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
    shifted = table.ffill(limit=2)
    shifted.index = shifted.index + pd.Timedelta(days=delay)
    return shifted.reindex(index=x.index, method="ffill").reindex(columns=x.columns)


def get_clusters(x, levels=5, end_date=None, **_):
    from scipy.cluster.hierarchy import fcluster, linkage

    def of_month(values):
        there = values.dropna()
        if len(there) < 2:
            return pd.Series(np.nan, values.index)
        groups = fcluster(linkage(there.to_numpy()[:, None], "ward"), levels, "maxclust")
        order = there.groupby(groups).mean().rank() - 1
        return pd.Series(order.reindex(groups).to_numpy(), there.index).reindex(values.index)

    ends = x.groupby(x.index.to_period("M")).tail(1).apply(of_month, axis=1)
    return ends.reindex(x.index).ffill().shift(1).where(x.notna())


def wait_for_dask(x, seconds=1.0):
    time.sleep(seconds)
    return x
