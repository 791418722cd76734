"""What every operator promises, tried on every case of its oracle.

A new operator needs one file here, ``oracles/<operator>.py``; without it this file fails.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from frames import frame
from oracles import Case, assert_same

from deriv_ops import op
from deriv_ops.operators.declare import Operator

ORACLES = {
    name: importlib.import_module(f"oracles.{name}")
    for name in dir(op)
    if importlib.util.find_spec(f"oracles.{name}")
}
CALLS = [(getattr(op, name), case) for name, module in ORACLES.items() for case in module.CASES]
CALLS_WITH_ROWS = [(operator, case) for operator, case in CALLS if len(frame(case.inputs[0]))]


def rows_back(operator: Operator, case: Case) -> float:
    """The declared look-back of a case, infinite for all history."""
    lookback = operator.lookback(operator.check_params(case.params)[0])
    return np.inf if lookback is None else lookback


def each(calls: list[tuple[Operator, Case]]) -> pytest.MarkDecorator:
    ids = [f"{operator.name}({case})" for operator, case in calls]
    return pytest.mark.parametrize(("operator", "case"), calls, ids=ids)


every_operator = pytest.mark.parametrize("name", dir(op))
every_alias = pytest.mark.parametrize(
    ("name", "alias"), [(name, alias) for name in ORACLES for alias in getattr(op, name).aliases]
)


def call(operator: Operator, inputs: list[pd.DataFrame], case: Case) -> pd.DataFrame:
    return operator(*inputs, **case.params)


def frames_of(case: Case) -> list[pd.DataFrame]:
    return [frame(name) for name in case.inputs]


def dated(table: pd.DataFrame) -> bool:
    """Whether the input is dates x shares, not one row a share."""
    return isinstance(table.index, pd.DatetimeIndex)


def aligned(inputs: list[pd.DataFrame], unaligned: tuple[int, ...] = ()) -> list[pd.DataFrame]:
    """The inputs as the conventions hand them on: on the first one's dates and shares, finite."""
    first = inputs[0]
    return [
        table
        if not dated(table)
        else finite(table)
        if position in unaligned
        else finite(on_dates_and_shares_of(first, table))
        for position, table in enumerate(inputs)
    ]


def on_dates_and_shares_of(first: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    if table.shape[1] == 1 and table.columns[0] not in first.columns:
        factor = table.iloc[:, 0].reindex(first.index)
        return pd.DataFrame(dict.fromkeys(first.columns, factor))
    return table.reindex(index=first.index, columns=first.columns)


def finite(table: pd.DataFrame) -> pd.DataFrame:
    if not numeric(table):
        return table
    return table.astype("float64").replace([np.inf, -np.inf], np.nan)


def numeric(table: pd.DataFrame) -> bool:
    return all(pd.api.types.is_numeric_dtype(dtype) for dtype in table.dtypes)


def assert_identical(result: pd.DataFrame, expected: pd.DataFrame) -> None:
    indexes = zip(result.axes, expected.axes, strict=True)
    # What can be told in a moment is most of what these tests compare.
    if result.equals(expected) and all(one.identical(other) for one, other in indexes):
        return
    pd.testing.assert_frame_equal(
        result, expected, check_exact=True, check_freq=False, check_column_type=False
    )


@every_operator
def test_every_operator_has_an_oracle_with_cases(name: str) -> None:
    file = f"tests/oracles/{name}.py"
    assert name in ORACLES, f"op.{name} has no oracle: add {file} with CASES and oracle"
    assert ORACLES[name].CASES, f"op.{name} is never tried: add a Case to CASES in {file}"


def test_every_oracle_belongs_to_an_operator() -> None:
    files = Path(__file__).with_name("oracles").glob("[!_]*.py")
    assert {file.stem for file in files} <= set(dir(op))


@every_operator
def test_the_name_is_the_one_in_the_namespace(name: str) -> None:
    operator = getattr(op, name)
    assert isinstance(operator, Operator)
    assert operator.name == name


@each(CALLS)
def test_the_result_is_the_oracle_s(operator: Operator, case: Case) -> None:
    module = ORACLES[operator.name]
    inputs = aligned(frames_of(case), getattr(module, "UNALIGNED", ()))
    expected = module.oracle(*inputs, **case.params)
    result = call(operator, frames_of(case), case)
    assert_same(result, expected, unit=getattr(module, "UNIT", 0.0))


@each(CALLS_WITH_ROWS)
def test_rows_to_come_change_nothing(operator: Operator, case: Case) -> None:
    if operator.looks_ahead:
        pytest.skip("declared as looking ahead")
    inputs = frames_of(case)
    whole = call(operator, inputs, case)
    dates = inputs[0].index
    for rows in sorted({0, 1, 2, 24, len(dates) // 2, len(dates) - 1} & set(range(len(dates)))):
        cut = [table[table.index < dates[rows]] if dated(table) else table for table in inputs]
        early = call(operator, cut, case)
        # A group that occurs only later is a column of the whole result only.
        assert set(early.columns) <= set(whole.columns)
        assert_identical(early, whole.iloc[:rows][early.columns])
        assert whole.iloc[:rows].drop(columns=early.columns).isna().all(axis=None)


@each([call for call in CALLS_WITH_ROWS if rows_back(*call) < len(frame(call[1].inputs[0])) - 1])
def test_rows_before_the_lookback_change_nothing(operator: Operator, case: Case) -> None:
    lookback = int(rows_back(operator, case))
    inputs = frames_of(case)
    rows = len(inputs[0])
    row = lookback + (rows - lookback) // 2
    early = inputs[0].index[: row - lookback]
    other = [
        table.mask(np.broadcast_to(table.index.isin(early)[:, None], table.shape), table * -3 + 7)
        if operator.inputs[min(position, len(operator.inputs) - 1)].kind == "frame"
        else table
        for position, table in enumerate(inputs)
    ]
    assert_identical(
        call(operator, other, case).iloc[row:], call(operator, inputs, case).iloc[row:]
    )


@each([(operator, case) for operator, case in CALLS_WITH_ROWS if operator.kind == "time series"])
def test_a_time_series_operator_takes_each_share_by_itself(operator: Operator, case: Case) -> None:
    inputs = frames_of(case)
    shares = inputs[0].columns[::2]
    some = [table[shares] if position == 0 else table for position, table in enumerate(inputs)]
    assert_identical(call(operator, some, case), call(operator, inputs, case)[shares])


@each([(operator, case) for operator, case in CALLS_WITH_ROWS if operator.missing == "kept"])
def test_missing_values_are_kept_where_that_is_declared(operator: Operator, case: Case) -> None:
    inputs = frames_of(case)
    result = call(operator, inputs, case)
    for table in aligned(inputs):
        # What is reduced to groups has no place for a single share.
        if dated(table) and result.columns.equals(table.columns):
            assert result[table.isna()].isna().all(axis=None)


@pytest.mark.parametrize("name", [name for name in ORACLES if getattr(op, name).missing != "kept"])
def test_there_is_a_result_at_a_missing_value_where_that_is_declared(name: str) -> None:
    operator: Operator = getattr(op, name)
    for case in ORACLES[name].CASES:
        result = call(operator, frames_of(case), case)
        for table in filter(dated, aligned(frames_of(case))):
            if result.columns.equals(table.columns) and result[table.isna()].notna().any(axis=None):
                return
    raise AssertionError(f"{name} keeps missing values in all of its cases: declare it so")


@pytest.mark.parametrize("name", ORACLES)
def test_every_value_that_a_parameter_may_have_is_tried(name: str) -> None:
    """Of those that can be counted; of the others one that isn't the default."""
    operator: Operator = getattr(op, name)
    tried = [operator.check_params(case.params)[0] for case in ORACLES[name].CASES]
    for param, schema in operator.schemas.items():
        given = [params[param] for params in tried]
        choices = [False, True] if schema.get("type") == "boolean" else schema.get("enum", [])
        assert all(value in given for value in choices), param
        if param in operator.defaults:
            assert any(value != operator.defaults[param] for value in given), param


@each(
    [
        (operator, case)
        for operator, case in CALLS_WITH_ROWS
        if any(one.kind == "groups" for one in operator.inputs) and not dated(frames_of(case)[-1])
    ]
)
def test_groups_that_stand_still_are_those_of_every_date(operator: Operator, case: Case) -> None:
    *others, table = frames_of(case)
    x = others[0]
    by = case.params.get("by") or ("sector" if "sector" in table else table.columns[0])
    labels = table[by].reindex(x.columns).to_numpy()
    every_day = pd.DataFrame(np.tile(labels, (len(x), 1)), x.index, x.columns)
    params = {name: value for name, value in case.params.items() if name != "by"}
    assert_identical(
        operator(*others, every_day, **params), operator(*others, table, **case.params)
    )


@each(CALLS)
def test_inputs_are_left_as_they_are(operator: Operator, case: Case) -> None:
    inputs = frames_of(case)
    result = call(operator, inputs, case)
    for table, before in zip(inputs, frames_of(case), strict=True):
        assert_identical(table, before)
    result.loc[:, :] = -1.0
    for table, before in zip(inputs, frames_of(case), strict=True):
        assert_identical(table, before)


@each(CALLS_WITH_ROWS)
def test_infinite_counts_as_missing(operator: Operator, case: Case) -> None:
    inputs = frames_of(case)
    for position, table in enumerate(inputs):
        if not (dated(table) and numeric(table)):
            continue
        places = (np.arange(table.size) % 17 == position).reshape(table.shape)
        sign = np.where(np.arange(table.shape[1]) % 2, -np.inf, np.inf)
        planted, missing = (
            call(
                operator,
                [*inputs[:position], table.mask(places, value), *inputs[position + 1 :]],
                case,
            )
            for value in (pd.DataFrame([sign] * len(table), table.index, table.columns), np.nan)
        )
        assert_identical(planted, missing)
        assert not np.isinf(planted).any(axis=None)


@each(CALLS)
def test_the_result_is_float_on_the_first_inputs_dates(operator: Operator, case: Case) -> None:
    first, *others = frames_of(case)
    result = call(operator, [first, *others], case)
    assert (result.dtypes == "float64").all()
    pd.testing.assert_index_equal(result.index, first.index, exact=True)
    if not case.params.get("do_reduce"):
        pd.testing.assert_index_equal(result.columns, first.columns, exact=True)


@every_alias
def test_an_alias_stands_for_its_parameter(name: str, alias: str) -> None:
    operator: Operator = getattr(op, name)
    documented = operator.aliases[alias]
    cases = [case for case in ORACLES[name].CASES if documented in case.params]
    assert cases, f"no case of tests/oracles/{name}.py sets {documented}"
    for case in cases:
        spelled: Mapping[str, Any] = {
            alias if param == documented else param: value for param, value in case.params.items()
        }
        result = operator(*frames_of(case), **spelled)
        assert_identical(result, call(operator, frames_of(case), case))
