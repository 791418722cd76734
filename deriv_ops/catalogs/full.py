"""5,327 derivations: those of the `medium` catalog and 3,944 more of the same tables."""

from deriv_ops import AbstractDerivation, Map, Var, op
from deriv_ops.catalogs.medium import (
    CAP,
    DAILY,
    INDUSTRIES,
    SECTORS,
    Figures,
    Liquidity,
    Marks,
    Prices,
    Returns,
    Risk,
    Signals,
)
from deriv_ops.catalogs.tables import Inputs

CLUSTERS = Risk.clusters[5]
# Where a price stands in its own past.
PLACES = [*Prices.over_mean, *Prices.position, *Prices.rsi, *Prices.zscore]


class Trading(AbstractDerivation):
    """Prices in their own past, against industries and clusters and over time."""

    by_industry = Map(op.zscore_by, (PLACES, INDUSTRIES))
    by_cluster = Map(op.zscore_by, (PLACES, CLUSTERS))
    mean = Map(op.moving_average, PLACES, {"window": [5, 20]})
    change = Map(op.delta, PLACES, {"period": [5, 20]})
    overbought = Var(op.average, [*Prices.rsi])
    trend = Var(op.compare, [Prices.mean[20], Prices.mean[200]], {"how": ">"})
    liquid = Map(op.mask, (PLACES, Liquidity.tradable))
    neutral = Map(op.neutralize, (PLACES, Returns.size, Risk.beta[60]))


class Growth(AbstractDerivation):
    """Fundamentals over time."""

    relative = Map(op.pctdelta, Figures.filled, {"period": [63, 126, 252]})
    mean = Map(op.moving_average, Figures.yields, {"window": [63, 126, 252], "min_periods": 40})
    deviation = Map(op.moving_std, Figures.filled, {"window": 504, "min_periods": 126})
    best = Map(op.moving_max, Figures.filled, {"window": 504, "min_periods": 126})
    below_best = Map(op.drawdown, Figures.filled, {"window": 504})
    by_sector = Map(op.calc_dev_by, (relative, SECTORS))
    ranks = Map(op.rank, relative)


class Value(AbstractDerivation):
    """Yields of fundamentals against other shares."""

    clipped = Map(op.winsorize, Figures.yields, {"lower": 0.05, "upper": 0.95})
    by_industry = Map(op.zscore_by, (clipped, INDUSTRIES))
    ranks = Map(op.rank, (Figures.yields, SECTORS))
    buckets = Map(op.quantile_bucket, Figures.yields, {"buckets": [5, 10]})
    sectors = Map(op.weighted_mean, (Figures.yields, CAP, SECTORS), {"do_reduce": True})


class Opinions(AbstractDerivation):
    """Monthly scores over time, against other shares, and with what returns made of them."""

    mean = Map(op.ewmmean, Marks.daily, {"span": [20, 60, 120]})
    yearly = Map(op.delta, Marks.daily, {"period": 260})
    by_industry = Map(op.zscore_by, (Marks.daily, INDUSTRIES))
    ranks = Map(op.rank, Marks.daily)
    buckets = Map(op.quantile_bucket, Marks.daily, {"buckets": 5})
    agreement = Map(op.ewmcorr, (Marks.change, Returns.simple[20]), {"span": 120})


class Surprises(AbstractDerivation):
    """Signals over time and against other shares."""

    deviation = Map(op.moving_std, Inputs.signals, {"window": [20, 60], "min_periods": 10})
    extreme = Map(op.moving_max, Inputs.signals, {"window": [20, 60], "min_periods": 10})
    weighted = Map(op.ewmmean, Inputs.signals, {"span": [5, 20, 60]})
    lagged = Map(op.lag, Signals.surprise, {"period": [1, 2, 3]})
    by_sector = Map(op.zscore_by, (Signals.mean, SECTORS))
    ranks = Map(op.rank, Signals.mean)
    beta = Map(op.beta, (DAILY, Signals.surprise), {"window": [60, 120], "min_periods": 40})
