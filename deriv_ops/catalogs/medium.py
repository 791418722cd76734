"""1,383 derivations of the 276 tables of `tables`: a catalog of the size of a research team's."""

from deriv_ops import AbstractDerivation, Map, Var, op
from deriv_ops.catalogs.tables import Inputs

OPEN, HIGH, LOW, CLOSE, VWAP, TRADED, CAP = (
    Inputs.market[name] for name in ("open", "high", "low", "close", "vwap", "traded", "marketcap")
)
SECTORS, INDUSTRIES, COUNTRIES = Inputs.static


class Returns(AbstractDerivation):
    """Changes of prices, and what the market and the sectors make of them."""

    simple = Map(op.pctdelta, CLOSE, {"period": [1, 5, 10, 20, 60, 260]})
    logarithmic = Map(op.log_return, CLOSE, {"period": [1, 5, 20]})
    intraday = Var(op.subtract, [CLOSE, OPEN])
    lagged = Map(op.lag, simple[1], {"period": [1, 2, 3, 5]})
    market = Var(op.weighted_mean, [simple[1], CAP], {"do_reduce": True})
    sectors = Var(op.calc_dev_by, [simple[1], SECTORS], {"do_reduce": True})
    by_universe = Map(op.calc_dev_by, simple)
    by_sector = Map(op.calc_dev_by, (simple, SECTORS))
    by_industry = Map(op.calc_dev_by, (simple, INDUSTRIES))
    by_country = Map(op.calc_dev_by, (simple, COUNTRIES))
    ranks = Map(op.rank, simple)
    clipped = Map(op.winsorize, simple, {"lower": 0.02, "upper": 0.98})
    rises = Map(op.between, simple, {"lower": 0.0})
    size = Var(op.transform, CAP, {"function": "log"})
    neutral = Map(op.neutralize, (simple, size))


DAILY = Returns.simple[1]


class Risk(AbstractDerivation):
    """Volatility, its shape, and what of it is the market's."""

    deviation = Map(op.moving_std, DAILY, {"window": [20, 60, 120, 260]})
    skewness = Map(op.moving_skew, DAILY, {"window": [60, 260]})
    kurtosis = Map(op.moving_kurt, DAILY, {"window": [60, 260]})
    weighted = Map(op.ewmstd, DAILY, {"span": [20, 60, 260], "annualize": True})
    variance = Var(op.moving_var, DAILY, {"window": 20})
    weighted_variance = Var(op.ewmvar, DAILY, {"span": 20})
    worst = Var(op.moving_quantile, DAILY, {"window": 260, "quantile": 0.01, "min_periods": 130})
    volatility = Var(op.ewmstd, DAILY, {"span": 260, "min_periods": 130})
    clusters = Map(op.get_clusters, volatility, {"levels": [3, 5, 8]})
    beta = Map(op.beta, (DAILY, Returns.market), {"window": [60, 120, 260]})
    residual = Map(op.residual, (DAILY, Returns.market), {"window": [60, 120, 260]})
    correlation = Map(op.correl, (DAILY, Returns.market), {"window": [60, 120, 260]})
    covariance = Var(op.moving_cov, [DAILY, Returns.market], {"window": 60})
    drawdown = Map(op.drawdown, CLOSE, {"window": [60, 260]})
    of_residual = Map(op.moving_std, residual, {"window": [60, 120]})
    by_cluster = Map(op.calc_dev_by, (Returns.simple, clusters[5]), {"time_varying": True})
    by_sector = Map(op.zscore_by, ([deviation, weighted, beta], SECTORS))
    ranks = Map(op.rank, [deviation, skewness, kurtosis, weighted, beta, correlation])


class Prices(AbstractDerivation):
    """Where a price stands in its own past."""

    total = Var(op.add, [HIGH, LOW, CLOSE])
    typical = Var(op.scale, total, {"factor": 1 / 3})
    over_vwap = Var(op.divide, [CLOSE, VWAP])
    month = Var(op.resample, CLOSE, {"period": "month", "how": "mean"})
    floor = Map(op.moving_min, LOW, {"window": [20, 260]})
    mean = Map(op.moving_average, CLOSE, {"window": [5, 10, 20, 50, 100, 200]})
    smoothed = Map(op.ewmmean, CLOSE, {"span": [5, 10, 20, 50, 100, 200]})
    decayed = Map(op.decay_linear, CLOSE, {"window": [5, 10, 20, 50]})
    over_mean = Map(op.divide, (CLOSE, [mean, smoothed, decayed]))
    median = Map(op.moving_median, CLOSE, {"window": [20, 60]})
    rank = Map(op.moving_rank, CLOSE, {"window": [20, 60]})
    since_high = Map(op.moving_argmax, HIGH, {"window": [20, 60, 260]})
    since_low = Map(op.moving_argmin, LOW, {"window": [20, 60, 260]})
    position = Map(op.bollinger_position, CLOSE, {"window": [20, 60]})
    rsi = Map(op.rsi, CLOSE, {"period": [7, 14, 28]})
    macd = Map(op.macd, CLOSE, {"output": ["line", "signal", "histogram"]})
    atr = Map(op.atr, (HIGH, LOW, CLOSE), {"period": [14, 28]})
    zscore = Map(op.zscore, CLOSE, {"period": [1, 5, 20], "window": 260})
    by_sector = Map(op.zscore_by, ([over_mean, position, rsi], SECTORS))
    ranks = Map(op.rank, [over_mean, position, rsi, zscore])
    buckets = Map(op.quantile_bucket, [over_mean, position, rsi, zscore], {"buckets": 10})


class Liquidity(AbstractDerivation):
    """How much is traded, and at what price."""

    amihud = Map(op.amihud, (DAILY, TRADED), {"window": [20, 60]})
    turnover = Map(op.turnover, (TRADED, CAP), {"window": [1, 5, 20, 60]})
    free_cap = Var(op.multiply, [Inputs.market["free_float"], CLOSE])
    free_turnover = Var(op.turnover, [TRADED, free_cap], {"window": 20})
    volume = Map(op.moving_sum, Inputs.market["volume"], {"window": [5, 20, 60]})
    spread = Map(op.moving_average, Inputs.market["spread"], {"window": [5, 20]})
    short = Var(op.divide, [Inputs.market["short_interest"], Inputs.market["outstanding"]])
    tradable = Var(op.top, CAP, {"count": 500})
    by_sector = Map(op.zscore_by, ([amihud, turnover, spread, short], SECTORS))


class Figures(AbstractDerivation):
    """Fundamentals over the market's price of them, against the sector."""

    filled = Map(op.fill, Inputs.fundamentals, {"limit": 63})
    change = Map(op.delta, filled, {"period": 63})
    yields = Map(op.divide, (filled, CAP))
    by_sector = Map(op.zscore_by, (yields, SECTORS))


class Marks(AbstractDerivation):
    """Monthly scores on business days, what changed in them, against the sector."""

    daily = Map(op.as_of, (CLOSE, Inputs.scores), {"max_age": 100})
    change = Map(op.delta, daily, {"period": 60})
    by_sector = Map(op.zscore_by, (daily, SECTORS))


class Signals(AbstractDerivation):
    """Alternative data: levels, surprises, agreement with returns."""

    mean = Map(op.moving_average, Inputs.signals, {"window": [5, 20, 60], "min_periods": 3})
    surprise = Map(op.zscore, Inputs.signals, {"relative": False, "window": 120})
    by_sector = Map(op.calc_dev_by, (Inputs.signals, SECTORS))
    by_cluster = Map(op.calc_dev_by, (Inputs.signals, Risk.clusters[5]), {"time_varying": True})
    agreement = Map(op.correl, (Inputs.signals, DAILY), {"window": 120, "min_periods": 60})
