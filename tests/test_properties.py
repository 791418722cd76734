"""What holds for every operator on any frames whatever."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from deriv_ops import op
from deriv_ops.operators.declare import Operator

# What parameters without a default are given.
PARAMS: dict[str, Any] = {"window": 4, "span": 3.0, "quantile": 0.3, "count": 2, "limit": 2}
PARAMS |= {"how": ">=", "function": "log"}

SIZES = st.tuples(st.integers(0, 12), st.integers(1, 4))
# Prices, equal values, zeros, huge and tiny ones, what is missing and what counts as missing.
VALUES = st.one_of(
    st.floats(1, 200),
    st.sampled_from([0.0, -0.0, 1.0, 1.0, 100.0, 1e8, -1e150, 1e308, 5e-324, np.inf, np.nan]),
)


def frames(count: int) -> st.SearchStrategy[list[np.ndarray]]:
    return SIZES.flatmap(
        lambda size: st.lists(
            arrays.arrays(np.float64, size, elements=VALUES), min_size=count, max_size=count
        )
    )


def inputs_of(operator: Operator, cells: list[np.ndarray]) -> list[pd.DataFrame]:
    dates = pd.bdate_range("2020-01-29", periods=len(cells[0]), name="date")
    shares = list("ABCD")[: cells[0].shape[1]]
    tables = [pd.DataFrame(values, dates, shares) for values in cells]
    return tables[: sum(i.kind != "groups" for i in operator.inputs)]


def compute(operator: Operator, inputs: list[pd.DataFrame]) -> pd.DataFrame:
    empty = inspect.Parameter.empty
    params = {name: PARAMS[name] for name, value in operator.defaults.items() if value is empty}
    if "min_periods" in operator.defaults:
        params["min_periods"] = 2
    return operator(*inputs, **params)


@pytest.mark.parametrize("name", [name for name in dir(op) if name != "wait_for_dask"])
@settings(max_examples=25, deadline=None)
@given(cells=frames(3))
def test_any_frame(name: str, cells: list[np.ndarray]) -> None:
    operator: Operator = getattr(op, name)
    inputs = inputs_of(operator, cells)
    result = compute(operator, inputs)
    assert result.shape == inputs[0].shape
    assert not np.isinf(result.to_numpy()).any()
    # The beginning is that of what came of the beginning.
    rows = len(inputs[0]) // 2
    if rows and not operator.looks_ahead:
        early = compute(operator, [table.iloc[:rows] for table in inputs])
        pd.testing.assert_frame_equal(early, result.iloc[:rows], check_exact=True, check_freq=False)
    # One share of several doesn't matter to the others along time.
    if operator.kind == "time series":
        alone = compute(operator, [table[["A"]] for table in inputs])
        pd.testing.assert_frame_equal(alone, result[["A"]], check_exact=True)
