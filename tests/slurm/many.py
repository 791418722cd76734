"""A catalog of 300 derivations of the toy model's tables: wide, and each of them small."""

from deriv_ops import AbstractDerivation, Map, op
from deriv_ops.catalogs.toy import Basic


class Many(AbstractDerivation):
    """Six sweeps, of which four are of the others."""

    returns = Map(op.pctdelta, Basic.all_prices, {"period": [1, 2, 3, 5, 8, 10, 20, 30, 40, 50]})
    zscores = Map(
        op.zscore, Basic.all_prices, {"window": [10, 20, 30, 40, 50, 60, 70], "min_periods": 5}
    )
    means = Map(op.moving_average, returns, {"window": [2, 3, 4, 5, 6, 7, 8, 9]})
    deviations = Map(op.moving_std, returns, {"window": [5, 10, 15, 20]})
    ranks = Map(op.rank, means)
    by_sector = Map(op.calc_dev_by, (means, Basic.sectors_isin))
