"""Promises of single operators, each with an example of its own."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from frames import frame
from oracles import get_clusters

from deriv_ops import op
from deriv_ops.errors import OperatorError
from deriv_ops.kernels import correlation, ranking
from deriv_ops.operators.declare import Operator

ALIASES = {
    "ewmstd": {"annulize": "annualize"},
    "zscore": {"h": "period", "minp": "min_periods", "inpct": "relative"},
    "get_clusters": {"dend": "end_date"},
    "calc_dev_by": {"clusterishito": "time_varying"},
}


def wide(values: object, shares: str) -> pd.DataFrame:
    """A frame of business days by the shares named, separated by spaces."""
    array = np.array(values, dtype="float64")
    dates = pd.bdate_range("2020-01-01", periods=len(array), name="date")
    return pd.DataFrame(array, index=dates, columns=shares.split())


def table(**sectors: str) -> pd.DataFrame:
    """One row a share: its sector."""
    return pd.DataFrame({"sector": sectors}).rename_axis("symbol")


def same(result: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(result, expected, check_exact=True, check_freq=False)


@pytest.mark.parametrize("name", sorted(ALIASES))
def test_the_spellings_of_the_trade_are_accepted(name: str) -> None:
    assert ALIASES[name].items() <= getattr(op, name).aliases.items()


# Second inputs take the first one's dates and shares.


def test_a_second_frame_is_matched_by_date_and_share_not_by_position() -> None:
    x, y = frame("prices"), frame("returns")
    expected = op.correl(x, y, window=20, min_periods=10)
    before = pd.DataFrame(7.0, pd.bdate_range("2014-12-01", periods=5), y.columns)
    shuffled = pd.concat([before, y]).iloc[:, ::-1].assign(ZZZ=1.0)
    same(op.correl(x, shuffled, window=20, min_periods=10), expected)
    assert expected.notna().any(axis=None)


def test_what_the_second_frame_lacks_is_missing() -> None:
    x = frame("prices")
    y = frame("returns").drop(columns="BP").iloc[100:]
    result = op.correl(x, y, window=20, min_periods=10)
    assert result["BP"].isna().all()
    assert result.iloc[:109].isna().all(axis=None)
    assert result["AAL"].iloc[120:].notna().all()


def test_a_second_frame_with_none_of_the_shares_is_refused() -> None:
    """Such as the means of sectors, subtracted from shares."""
    x = frame("prices")
    # One of the sectors of these frames is called as a share is.
    means = op.calc_dev_by(x, frame("sectors"), do_reduce=True).drop(columns="NA")
    told = r"subtract: input 'y' has none of the shares of the first input: \w.* not among AAL, BP"
    with pytest.raises(OperatorError, match=told):
        op.subtract(x, means)
    with pytest.raises(OperatorError, match="input 'groups' has none of the shares"):
        op.calc_dev_by(x, x.add_prefix("old_"))
    # Where there are no shares at all there is nothing to be wrong.
    assert op.subtract(x.iloc[:, :0], means).shape == (len(x), 0)


def test_groups_over_time_are_matched_by_date_and_share() -> None:
    x, labels = frame("prices"), frame("labels_text")
    shuffled = labels.reindex(columns=[*sorted(labels), "ZZZ"])
    expected = op.calc_dev_by(x, labels, time_varying=True)
    same(op.calc_dev_by(x, shuffled, time_varying=True), expected)
    assert expected["PSON"].isna().all()
    assert expected.notna().any(axis=None)


# A window in which nothing moves has no z-score and no correlation, whatever happened before it.


@pytest.fixture
def calm_after_spike() -> pd.DataFrame:
    """Twenty rows that move, one mistyped value, and 0.1 from row 21 on."""
    moving = np.random.default_rng(0).normal(100, 1, (20, 2))
    return wide(np.vstack([moving, [[1e8, 1e8]], np.full((40, 2), 0.1)]), "A B")


def test_zscore_of_a_constant_window_is_missing(calm_after_spike: pd.DataFrame) -> None:
    for relative in (True, False):
        result = op.zscore(calm_after_spike, min_periods=2, relative=relative, window=10)
        # Row 22 holds the first change of 0; 31 the first window with nothing else in it.
        assert result.iloc[2:31].notna().all(axis=None)
        assert result.iloc[31:].isna().all(axis=None)


def test_zscore_of_equal_steps_is_missing() -> None:
    stairs = wide(np.arange(0.0, 100.0, 2.0)[:, None], "AAL")
    assert op.zscore(stairs, min_periods=2, relative=False).isna().all(axis=None)


def test_correlation_with_a_constant_window_is_missing(calm_after_spike: pd.DataFrame) -> None:
    x = calm_after_spike
    y = wide(np.random.default_rng(1).normal(size=x.shape), "A B")
    for result in (op.correl(x, y, window=10), op.correl(y, x, window=10)):
        assert result.iloc[9:30].notna().all(axis=None)
        assert result.iloc[30:].isna().all(axis=None)


# ewmstd is what pandas gives.


@pytest.mark.parametrize("name", ["prices", "returns", "spiky"])
def test_ewmstd_is_that_of_pandas(name: str) -> None:
    x = frame(name)
    for annualize, unit, needed in ((False, 1, 5), (True, np.sqrt(260), 0)):
        result = op.ewmstd(x, span=20, min_periods=needed, annualize=annualize)
        expected = x.ewm(span=20, min_periods=needed).std() * unit
        pd.testing.assert_frame_equal(result, expected, rtol=1e-12, atol=0, check_freq=False)


# calc_dev_by.


def test_tickers_and_sectors_that_look_like_something_else() -> None:
    x = wide([[1, 2, 4, 8], [1, 2, 6, np.nan]], "AAL NA TRUE BP")
    sectors = table(TRUE="NA", NA="Energy", AAL="Energy", BP="NA")
    same(
        op.calc_dev_by(x, sectors),
        wide([[-0.5, 0.5, -2, 2], [-0.5, 0.5, 0, np.nan]], "AAL NA TRUE BP"),
    )
    means = op.calc_dev_by(x, sectors, do_reduce=True)
    assert list(means) == ["Energy", "NA"]
    assert means.to_numpy().tolist() == [[1.5, 6], [1.5, 6]]


def test_reduced_columns_are_the_labels_in_their_own_order() -> None:
    x = wide([[1, 2, 4, 8]], "A B C D")
    whole = wide([[10, 2, 2, np.nan]], "A B C D")
    means = op.calc_dev_by(x, whole, time_varying=True, do_reduce=True)
    assert means.to_dict("list") == {"2": [3.0], "10": [1.0]}
    assert list(means) == ["2", "10"]
    halves = op.calc_dev_by(x, whole / 4, time_varying=True, do_reduce=True)
    assert list(halves) == ["0.5", "2.5"]


@pytest.mark.parametrize("labels", [[10, 2, 2, np.nan], [0, 1, 1, np.nan], [-1, 5000, 5000, 7.5]])
def test_labels_of_any_numbers_are_groups(labels: list[float]) -> None:
    x = wide([[1, 2, 4, np.nan]], "A B C D")
    result = op.calc_dev_by(x, wide([labels], "A B C D"), time_varying=True)
    same(result, wide([[0, -1, 1, np.nan]], "A B C D"))


# Equal values are their mean, to the last bit.


@pytest.mark.parametrize("value", [0.1, 0.7, -1.3e-7, 1e9 + 0.1])
def test_equal_values_are_their_mean(value: float) -> None:
    constant = wide(np.full((30, 5), value), "A B C D E")
    constant = constant.mask(np.random.default_rng(1).random(constant.shape) < 0.2)
    same(op.average(constant, constant, constant), constant)
    sectors = table(A="one", B="one", C="one", D="two", E="two")
    for groups in ((), (sectors,), (constant * 0,)):
        same(op.calc_dev_by(constant, *groups), constant * 0)
    means = op.calc_dev_by(constant, do_reduce=True)["universe"]
    assert set(means.dropna()) == {value}


def test_the_universe_is_one_group() -> None:
    x = wide([[1, 2, np.nan], [np.nan] * 3], "A B C")
    same(op.calc_dev_by(x), wide([[-0.5, 0.5, np.nan], [np.nan] * 3], "A B C"))
    same(op.calc_dev_by(x, do_reduce=True), wide([[1.5], [np.nan]], "universe"))


def test_groups_that_change_want_a_frame() -> None:
    x = frame("prices")
    with pytest.raises(OperatorError, match="time_varying"):
        op.calc_dev_by(x, frame("sectors"), time_varying=True)
    with pytest.raises(OperatorError, match="time_varying"):
        op.calc_dev_by(x, time_varying=True)


in_groups = pytest.mark.parametrize(
    "operator",
    [
        one
        for one in (getattr(op, name) for name in dir(op))
        if any(i.kind == "groups" for i in one.inputs)
    ],
    ids=lambda operator: operator.name,
)


def numbers_for(operator: Operator) -> list[pd.DataFrame]:
    return [frame("prices") for one in operator.inputs if one.kind == "frame"]


@in_groups
def test_an_unknown_column_is_named_with_those_there_are(operator: Operator) -> None:
    pattern = rf"(?s)^{operator.name}: (?=.*sectr)(?=.*sector)(?=.*industry)"
    with pytest.raises(OperatorError, match=pattern):
        operator(*numbers_for(operator), frame("sectors"), by="sectr")


@in_groups
def test_a_table_with_no_obvious_column_asks_for_by(operator: Operator) -> None:
    groups = frame("sectors").rename(columns={"sector": "region"})
    pattern = rf"(?s)^{operator.name}: (?=.*by)(?=.*region)(?=.*industry)"
    with pytest.raises(OperatorError, match=pattern):
        operator(*numbers_for(operator), groups)


@in_groups
def test_a_column_is_named_of_a_table_only(operator: Operator) -> None:
    with pytest.raises(OperatorError, match=f"^{operator.name}: 'by' names a column of a static"):
        operator(*numbers_for(operator), frame("labels_text"), by="sector")


# rank, winsorize and quantile_bucket sort in single precision first.


@pytest.mark.parametrize("size", [3, 20, 1000])
@pytest.mark.parametrize(("level", "step"), [(1, 1e-9), (0, 1e-50), (0, 1e40), (-1, 1e-12)])
def test_order_of_what_single_precision_cannot_tell(size: int, level: float, step: float) -> None:
    random = np.random.default_rng(15)
    x = level + step * random.integers(-500, 500, (20, size))
    x[::2][random.random((10, size)) < 0.3] = np.nan
    np.testing.assert_array_equal(ranking.order(x), np.argsort(x, axis=1, kind="stable"))


def test_order_does_not_take_the_square_of_the_shares() -> None:
    def cost(x: np.ndarray) -> float:
        began = time.thread_time()
        ranking.order(x)
        return time.thread_time() - began

    x = np.random.default_rng(16).random((1, 100_000))
    ranking.order(x)
    # The square of them took 2000 times as long.
    assert cost(1 + 1e-9 * x) < 200 * max(cost(x), 1e-3)


# moving_median and moving_quantile: long windows are kept in another way.


@pytest.mark.parametrize("window", [199, 200, 333, 500, 700, 5000])
@pytest.mark.parametrize("quantile", [0.0, 0.3, 0.5, 1.0])
def test_quantiles_of_long_windows_are_those_of_pandas(window: int, quantile: float) -> None:
    random = np.random.default_rng(17)
    values = np.column_stack([random.normal(size=700), random.integers(-3, 3, 700)])
    values[random.random(values.shape) < 0.3] = np.nan
    values[100:350, 0] = np.nan
    x = wide(values, "A B")
    result = op.moving_quantile(x, window=window, quantile=quantile, min_periods=2)
    pd.testing.assert_frame_equal(
        result, x.rolling(window, min_periods=2).quantile(quantile), check_freq=False, rtol=1e-12
    )


def test_a_row_of_a_long_window_costs_no_more_than_one_of_a_short() -> None:
    x = wide(np.random.default_rng(18).normal(size=(40_000, 1)), "A")

    def cost(window: int) -> float:
        began = time.thread_time()
        op.moving_median(x, window=window)
        return time.thread_time() - began

    cost(300)
    assert cost(20_000) < 5 * cost(300)


# get_clusters.


@pytest.fixture
def sizes() -> pd.DataFrame:
    """130 days of nine shares in three sizes far apart, the smallest first; some are missing."""
    random = np.random.default_rng(8)
    values = np.repeat([1.0, 10.0, 100.0], 3) * random.uniform(0.95, 1.05, (130, 9))
    values[random.random(values.shape) < 0.05] = np.nan
    values[:, 4] = np.where(np.arange(130) < 60, np.nan, values[:, 4])
    return wide(values, "A B C D E F G H I")


def months(x: pd.DataFrame) -> np.ndarray:
    return x.index.to_period("M").astype(str).to_numpy()


def upside_down(x: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """On those rows the smallest sizes are the largest, and the other way round."""
    return x.mask(np.broadcast_to(rows[:, None], x.shape), 100 / x)


def test_groups_keep_their_number_from_month_to_month(sizes: pd.DataFrame) -> None:
    result = op.get_clusters(sizes, levels=3)
    for position, share in enumerate(sizes):
        assert set(result[share].dropna()) == {position // 3}


def test_numbers_do_not_depend_on_the_order_of_the_shares(sizes: pd.DataFrame) -> None:
    order = list(np.random.default_rng(9).permutation(sizes.columns))
    same(op.get_clusters(sizes[order], levels=3), op.get_clusters(sizes, levels=3)[order])


def test_labels_are_those_of_the_month_end_before(sizes: pd.DataFrame) -> None:
    month = months(sizes)
    month_ends = np.append(month[1:] != month[:-1], False)
    labels = op.get_clusters(upside_down(sizes, month_ends), levels=3)
    assert set(labels["A"].dropna()) == {2}
    assert set(labels["I"].dropna()) == {0}
    by_month = labels.groupby(month)
    same(by_month.max(), by_month.min())


def test_labels_stay_in_force_after_the_end_date(sizes: pd.DataFrame) -> None:
    late = months(sizes) > "2020-03"
    turned = upside_down(sizes, late)
    assert set(op.get_clusters(turned, levels=3).loc["2020-06", "A"].dropna()) == {2}
    frozen = op.get_clusters(turned, levels=3, end_date="2020-03-31")[late]
    in_force = np.where(sizes.loc["2020-03-31"].notna(), np.arange(9) // 3, np.nan)
    expected = pd.DataFrame([in_force] * late.sum(), frozen.index, frozen.columns)
    same(frozen, expected.where(turned[late].notna()))


def test_no_refresh_no_labels(sizes: pd.DataFrame) -> None:
    assert op.get_clusters(sizes, end_date="2020-01-30").isna().all(axis=None)
    assert op.get_clusters(sizes, end_date="2020-01-31").loc["2020-06"].notna().any(axis=None)
    assert op.get_clusters(sizes.loc["2020-01"]).isna().all(axis=None)


def test_labels_are_missing_with_the_value_and_where_the_month_end_had_none(
    sizes: pd.DataFrame,
) -> None:
    month = months(sizes)
    result = op.get_clusters(sizes, levels=3)
    assert result[month == month[0]].isna().all(axis=None)
    for this in np.unique(month)[1:]:
        at_refresh = sizes[month < this].iloc[-1].notna()
        expected = sizes[month == this].notna() & at_refresh
        pd.testing.assert_frame_equal(result[month == this].notna(), expected)


def test_planted_volatility_groups_are_found() -> None:
    random = np.random.default_rng(10)
    planted = random.permutation(np.repeat([0, 1, 2], 5))
    shares = " ".join(f"S{number}" for number in range(15))
    daily = wide(random.normal(size=(300, 15)) * np.array([0.005, 0.015, 0.045])[planted], shares)
    result = op.get_clusters(op.ewmstd(daily, span=60), levels=3)
    assert result.iloc[-1].tolist() == planted.tolist()


def test_planted_correlation_blocks_are_found() -> None:
    random = np.random.default_rng(11)
    planted = random.permutation(np.repeat([0, 1, 2], 5))
    shares = " ".join(f"S{number}" for number in range(15))
    factors = random.normal(size=(300, 3))[:, planted]
    # The blocks' means are what numbers them: block 2 the lowest, block 0 the highest.
    values = factors + 0.5 * random.normal(size=(300, 15)) + np.array([20.0, 10.0, 0.0])[planted]
    result = op.get_clusters(wide(values, shares), levels=3, on="correlation")
    assert result.iloc[-1].tolist() == (2 - planted).tolist()


def test_correlations_of_what_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """A constant share costs no look at its pairs; one that is so beside another only does."""
    random = np.random.default_rng(12)
    x = random.normal(size=(70, 40))
    x[random.random(x.shape) < 0.1] = np.nan
    x[:, 5:35] = np.where(np.isnan(x[:, 5:35]), np.nan, 0.1)
    x[0, 20:35], x[0, 3] = 7.5, np.nan  # beside share 3 the other 15 stand still too
    x[20:, 36] = 0.3
    looked_at = []

    def counted(rows: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        looked_at.append(len(pairs))
        return of_pairs(rows, pairs)

    of_pairs = correlation._of_pairs
    monkeypatch.setattr(correlation, "_of_pairs", counted)
    for first, until in ((0, 20), (0, 70), (30, 70)):
        sums = correlation.PairSums(x)
        sums.take(first, until)
        table = pd.DataFrame(x[first:until])
        expected = [
            [get_clusters.correlation(table[i], table[j], 10) for j in table] for i in table
        ]
        np.testing.assert_allclose(sums.correlations(10), expected, rtol=0, atol=1e-12)
    assert looked_at == [15, 15]


def test_a_lone_share_is_group_0() -> None:
    x = wide(np.random.default_rng(12).normal(size=(80, 1)), "A")
    for params in ({"on": "level"}, {"on": "correlation", "min_periods": 20}):
        assert set(op.get_clusters(x, **params).iloc[-1]) == {0.0}


# wait_for_dask.


def test_waiting_takes_the_time_it_was_asked_for() -> None:
    start = time.monotonic()
    op.wait_for_dask(frame("single_row"), seconds=0.2)
    assert time.monotonic() - start >= 0.2
