"""The toy model of the talk (Advestis, JCAD 2022): returns, volatility clusters and deviations."""

from deriv_ops import AbstractDerivation, FileVar, Var, op

DATE_END_CLUSTERIZATION = "2017-06-30"


class Basic(AbstractDerivation):
    """The basic class to read data from data base"""

    all_prices = FileVar('all_prices.csv')
    marketcap = FileVar('marketcap.csv')
    sectors_isin = FileVar('Sectors.csv')


class Temporary(AbstractDerivation):
    """Temporary data for compute Y and X and others for the trading"""
    fin_rdt_1d_all = Var(op.pctdelta, Basic.all_prices, {'period': 1})
    fin_rdt_1d_std = Var(op.ewmstd, fin_rdt_1d_all, {'span': 260, 'min_periods': 260,
                                                    'annulize': True})

    clustervol = Var(op.get_clusters, fin_rdt_1d_std, {'levels': 5,
                                                    'dend': DATE_END_CLUSTERIZATION})

    fin_pricez1d = Var(op.zscore, Basic.all_prices, {'h': 1, 'minp': 60, 'inpct': True})
    fin_pricedevz1d_byvol = Var(op.calc_dev_by, [fin_pricez1d, clustervol],
                               {'do_reduce': False, 'clusterishito': True})
    fin_std260d_Z1d_bysectors = Var(op.calc_dev_by, [fin_pricez1d, Basic.sectors_isin],
                                   {'do_reduce': False})
    fin_pricedevz1d_byuniver = Var(op.calc_dev_by, [fin_pricez1d], {'do_reduce': False})
    a = Var(op.wait_for_dask, fin_pricez1d, {})
