"""The toy model on real tables, by Snakemake, against plain pandas, numpy and scipy.

Opt-in: set DERIV_OPS_MARKET to a folder with all_prices.csv, marketcap.csv and Sectors.csv (they
may be compressed) of three years of daily data or more.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, snakemake
from oracles import assert_same
from scipy.cluster.hierarchy import fcluster, linkage

from deriv_ops.catalogs.toy import DATE_END_CLUSTERIZATION

MARKET = os.environ.get("DERIV_OPS_MARKET")
pytestmark = pytest.mark.skipif(not MARKET, reason="DERIV_OPS_MARKET names no folder of tables")


def table(name: str) -> pd.DataFrame:
    (path,) = Path(str(MARKET)).glob(f"{name}.csv*")
    return pd.read_csv(path, index_col=0, keep_default_na=False, na_values=[""])


def zscore(prices: pd.DataFrame) -> pd.DataFrame:
    change = prices / prices.shift(1) - 1
    score = pd.DataFrame(np.nan, change.index, change.columns)
    for row in range(60, len(change)):
        history = change.iloc[: row + 1]
        enough = history.count() >= 60
        held = history.loc[:, enough].to_numpy()
        mean = np.nanmean(held, axis=0)
        std = np.sqrt(np.nansum((held - mean) ** 2, axis=0) / (np.isfinite(held).sum(axis=0) - 1))
        score.loc[change.index[row], enough] = (held[-1] - mean) / std
    return score


def clusters(std: pd.DataFrame) -> pd.DataFrame:
    labels = pd.DataFrame(np.nan, std.index, std.columns)
    current = pd.Series(np.nan, std.columns)
    for before, today in zip(std.index, std.index[1:], strict=False):
        if before.month != today.month and before <= pd.Timestamp(DATE_END_CLUSTERIZATION):
            known = std.loc[before].dropna()
            current = pd.Series(np.nan, std.columns)
            if len(known) > 1:
                group = fcluster(linkage(known.to_numpy()[:, None], "ward"), 5, "maxclust")
                rank = known.groupby(group).mean().rank() - 1
                current[known.index] = rank[group].to_numpy()
        labels.loc[today] = current
    return labels.where(std.notna())


def by_group(score: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    long = pd.DataFrame({"score": score.stack(), "label": labels.stack()}).dropna()
    mean = long.groupby([long.index.get_level_values(0), "label"])["score"].transform("mean")
    return (long["score"] - mean).unstack().reindex_like(score)


def test_the_toy_model_is_the_plain_computation(tmp_path: Path):
    folder = Path(str(MARKET)).resolve()
    snakefile, config = ROOT / "Snakefile", ROOT / "config/config.yaml"
    snakemake(
        *("--snakefile", str(snakefile), "--configfile", str(config)),
        *("--config", f"inputs_dir={folder}"),
        cwd=tmp_path,
        timeout=300,
    )
    prices = table("all_prices")
    prices.index = pd.DatetimeIndex(prices.index, name="date").as_unit("us")
    sector = table("Sectors")["sector"].reindex(prices.columns)
    returns = prices / prices.shift(1) - 1
    std = returns.ewm(span=260, min_periods=260).std() * 260**0.5
    volatility = clusters(std)
    score = zscore(prices)
    sectors = pd.DataFrame([sector] * len(prices), prices.index)
    expected = {
        "fin_rdt_1d_all": returns,
        "fin_rdt_1d_std": std,
        "clustervol": volatility,
        "fin_pricez1d": score,
        "fin_pricedevz1d_byvol": by_group(score, volatility),
        "fin_std260d_Z1d_bysectors": by_group(score, sectors),
        "fin_pricedevz1d_byuniver": score.sub(score.mean(axis=1), axis=0),
        "a": score,
    }
    for name, frame in expected.items():
        assert frame.notna().any(axis=None), name
        assert_same(
            pd.read_parquet(tmp_path / f"results/temporary/{name}.parquet"), frame, unit=1.0
        )
