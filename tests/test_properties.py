"""What holds for every operator on any inputs and parameters that it declares to take."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from deriv_ops import op
from deriv_ops.errors import OperatorError
from deriv_ops.operators.conventions import is_dated
from deriv_ops.operators.declare import InputKind, Operator

Call = tuple[list[pd.DataFrame | None], dict[str, Any]]

SIZES = st.tuples(st.integers(0, 12), st.integers(1, 4))
# Prices, equal values, zeros, huge and tiny ones, what is missing and what counts as missing.
VALUES = st.one_of(
    st.floats(1, 200),
    st.sampled_from([0.0, -0.0, 1.0, 1.0, 100.0, 1e8, -1e150, 1e308, 5e-324, np.inf, np.nan]),
)
# Beyond two of the tiles that kernels work on, which have up to 512 columns.
WIDE = 1100
PARTS = (0, 1, 255, 257, 600, 1025, WIDE)


def frames(dates: pd.DatetimeIndex, shares: list[str]) -> st.SearchStrategy[pd.DataFrame]:
    cells = arrays.arrays(np.float64, (len(dates), len(shares)), elements=VALUES)
    return cells.map(lambda values: pd.DataFrame(values, dates, shares))


def irregular(dates: pd.DatetimeIndex, shares: list[str]) -> st.SearchStrategy[pd.DataFrame]:
    """On some of the dates, and on some before them."""
    known = pd.date_range("2020-01-20", periods=12, freq="3D")
    chosen = arrays.arrays(np.bool_, len(known))
    return chosen.flatmap(lambda chosen: frames(known[chosen], shares))


def groups(dates: pd.DatetimeIndex, shares: list[str]) -> st.SearchStrategy[pd.DataFrame]:
    """A static table in which shares and labels may be missing, or labels by dates x shares."""
    label = st.sampled_from(["Energy", "NA", None])
    rows = st.lists(st.tuples(label, label), min_size=5, max_size=5)
    static = rows.map(lambda rows: pd.DataFrame(rows, list("DBAXC"), ["sector", "industry"]))
    number = st.sampled_from([0.0, 1.0, 10.0, np.nan])
    cells = arrays.arrays(np.float64, (len(dates), len(shares)), elements=number)
    return static | cells.map(lambda values: pd.DataFrame(values, dates, shares))


INPUTS: Mapping[InputKind, Any] = {"frame": frames, "irregular": irregular, "groups": groups}


def values_of(schema: Mapping[str, Any]) -> st.SearchStrategy[Any] | None:
    """What a JSON Schema takes, a little above its bounds at the most; None if that isn't known."""
    if "anyOf" in schema:
        known = [values for one in schema["anyOf"] if (values := values_of(one)) is not None]
        return st.one_of(known) if known else None
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    match schema.get("type"):
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            # Without bounds it's a number of rows, as a rule.
            least = 1 if low is None else low + ("exclusiveMinimum" in schema)
            most = least + 8 if high is None else high - ("exclusiveMaximum" in schema)
            return st.integers(least, most)
        case "number":
            return st.floats(
                -3.0 if low is None else low,
                3.0 + (low or 0.0) if high is None else high,
                exclude_min="exclusiveMinimum" in schema,
                exclude_max="exclusiveMaximum" in schema,
            )
        case "string" if schema.get("format") == "date":
            return st.dates(*pd.to_datetime(["2020-01-20", "2020-03-01"]).date).map(str)
        case "string":
            return st.sampled_from(["sector", "industry"])
    return None


def params_of(operator: Operator) -> st.SearchStrategy[dict[str, Any]]:
    """Parameters by their declared types; for others the default, or that of its oracle."""

    def values(name: str) -> st.SearchStrategy[Any]:
        schema = operator.schemas[name]
        if (known := values_of(schema)) is not None:
            return known
        if "default" in schema:
            return st.just(schema["default"])
        case, *_ = importlib.import_module(f"oracles.{operator.name}").CASES
        return st.just(case.params[name])

    return st.fixed_dictionaries({name: values(name) for name in operator.schemas})


@st.composite
def calls(draw: st.DrawFn, operator: Operator) -> Call:
    rows, columns = draw(SIZES)
    dates = pd.bdate_range("2020-01-29", periods=rows, name="date")
    first = operator.inputs[:-1] if operator.variadic else operator.inputs
    more = operator.inputs[len(first) :] * draw(st.integers(0, 2))
    inputs = []
    for at, one in enumerate(first + more):
        tables = INPUTS[one.kind](dates, list("ABCD")[:columns])
        inputs.append(draw(tables if one.required or at >= len(first) else tables | st.none()))
    return inputs, draw(params_of(operator))


def each_dated(inputs: list[pd.DataFrame | None], change: Any) -> list[pd.DataFrame | None]:
    return [change(t) if t is not None and is_dated(t) else t for t in inputs]


def other_values(table: pd.DataFrame | None, dates: pd.Index) -> pd.DataFrame | None:
    if table is None:
        return None
    table = table.copy()
    table.loc[table.index.isin(dates)] = 7.0
    return table


def assert_identical(result: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(
        result, expected, check_exact=True, check_freq=False, check_column_type=False
    )


def is_part(some: pd.DataFrame, whole: pd.DataFrame) -> None:
    """Means of groups have columns for those groups only that are there."""
    assert set(some.columns) <= set(whole.columns)
    assert_identical(some, whole[some.columns])
    assert whole.drop(columns=some.columns).isna().all(axis=None)


def check(operator: Operator, inputs: list[pd.DataFrame | None], params: dict[str, Any]) -> None:
    """Try what an operator promises on one call, unless it refuses that one."""
    try:
        result = operator(*inputs, **params)
    except OperatorError:
        reject()
    x = inputs[0]
    assert x is not None
    dates = x.index
    assert result.index.equals(dates)
    assert result.columns.equals(x.columns) or params.get("do_reduce")
    assert (result.dtypes == np.float64).all()
    assert not np.isinf(result.to_numpy()).any()
    declared = [operator.inputs[min(at, len(operator.inputs) - 1)] for at in range(len(inputs))]
    if operator.missing == "kept":
        for one, table in zip(declared, inputs, strict=True):
            if one.kind == "frame":
                assert result[table.isna()].isna().all(axis=None)
    # The beginning is that of what came of the beginning.
    rows = len(x) // 2
    if rows and not operator.looks_ahead:
        began = each_dated(inputs, lambda table: table[table.index < dates[rows]])
        is_part(operator(*began, **params), result.iloc[:rows])
    # Rows before the look-back don't matter.
    lookback = operator.lookback(operator.check_params(params)[0])
    if lookback is not None and lookback < len(x) - 1:
        row = len(x) - 1
        early = x.index[: row - lookback]
        other = [
            other_values(table, early) if one.kind == "frame" else table
            for one, table in zip(declared, inputs, strict=True)
        ]
        is_part(operator(*other, **params).iloc[[row]], result.iloc[[row]])
    # One share of several doesn't matter to the others along time.
    if operator.kind == "time series":
        alone = operator(*each_dated(inputs, lambda table: table[["A"]]), **params)
        assert_identical(alone, result[["A"]])


EVERY_OPERATOR = [name for name in dir(op) if name != "wait_for_dask"]


@pytest.mark.parametrize("name", EVERY_OPERATOR)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_call(name: str, data: st.DataObject) -> None:
    operator: Operator = getattr(op, name)
    inputs, params = data.draw(calls(operator))
    check(operator, inputs, params)


def wide_inputs(operator: Operator) -> list[pd.DataFrame]:
    """Random walks with gaps, infinite values and shares that stand still."""
    random = np.random.default_rng(3)
    dates = pd.bdate_range("2020-01-29", periods=40, name="date")
    shares = [f"S{number}" for number in range(WIDE)]

    def walks(dates: pd.DatetimeIndex) -> pd.DataFrame:
        size = (len(dates), WIDE)
        walk = 100 * np.exp(random.normal(0, 0.03, size).cumsum(axis=0))
        walk[:, ::50] = 87.13
        walk[random.random(size) < 0.1] = np.nan
        walk[random.random(size) < 0.01] = np.inf
        return pd.DataFrame(walk, dates, shares)

    return [walks(dates[::4] if i.kind == "irregular" else dates) for i in operator.inputs]


@pytest.mark.parametrize(
    "name", [name for name in EVERY_OPERATOR if getattr(op, name).kind == "time series"]
)
def test_columns_of_a_wide_frame_are_those_computed_apart(name: str) -> None:
    operator: Operator = getattr(op, name)
    inputs = wide_inputs(operator)
    seen = False

    @settings(max_examples=4, deadline=None, derandomize=True)
    @given(params=params_of(operator))
    def compare(params: dict[str, Any]) -> None:
        nonlocal seen
        whole = operator(*inputs, **params)
        seen |= bool(whole.notna().any(axis=None))
        for first, until in pairwise(PARTS):
            part = each_dated([*inputs], lambda table: table.iloc[:, first:until])  # noqa: B023
            assert_identical(operator(*part, **params), whole.iloc[:, first:until])

    compare()
    assert seen
