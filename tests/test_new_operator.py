"""A new operator, whatever its names, has row, entry and property test by being there."""

from __future__ import annotations

import runpy
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Lt
from conftest import ROOT
from frames import frame
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import Case
from test_properties import Call, calls, check

from deriv_ops import Frame, Groups, op, operator
from deriv_ops.operators.declare import Date, Irregular


@operator("time series", lookback=lambda nights: nights, missing="left out")
def odd_spread(
    bid: Frame,
    quotes: Irregular,
    venue: Groups | None = None,
    /,
    *cap: Frame,
    nights: Annotated[int, Ge(2), Lt(9)],
    side: Literal["buy", "sell"],
    since: Date,
    tilt: Annotated[float, Gt(0), Lt(1)],
    weights: list[float],
    window: Literal["narrow", "wide"],
    model: bool,
    count: str = "few",
) -> Frame:
    """Change of the bid, tilted.

    Parameters
    ----------
    bid, quotes: dates x shares.
    venue: groups of shares.
    cap: dates x shares.
    nights: how many rows back.
    side, since, window, model, count: of no matter.
    tilt, weights: what the change is multiplied by, and the first of more.

    Returns
    -------
    dates x shares.

    """
    assert 2 <= nights < 9
    assert side in ("buy", "sell")
    assert len(since) == len("2020-01-01")
    assert 0 < tilt < 1
    return ((bid - bid.shift(nights)) * tilt * weights[0]).replace([float("inf")], float("nan"))


EXAMPLE: dict[str, Any] = {"nights": 3, "side": "sell", "since": "2020-02-01", "tilt": 0.5}
EXAMPLE |= {"weights": [0.25, 0.5], "window": "wide", "model": True}


@pytest.fixture(autouse=True)
def an_operator_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(op), "_names", sorted([*dir(op), "odd_spread"]))
    monkeypatch.setitem(vars(op), "odd_spread", odd_spread)
    oracle = ModuleType("oracles.odd_spread")
    oracle.CASES = (Case(("prices", "monthly"), EXAMPLE),)
    oracle.__spec__ = ModuleSpec(oracle.__name__, None)
    monkeypatch.setitem(sys.modules, oracle.__name__, oracle)


def test_it_has_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import operators

    (row,) = operators.rows_of(op.odd_spread, operators.frames(60, 4))
    assert row.label == "odd_spread"
    assert row.ours().notna().any(axis=None)


def test_it_has_an_entry() -> None:
    page = runpy.run_path(str(ROOT / "docs/make.py"))["page"]()
    assert "[odd_spread](#odd_spread)" in page
    section = page.partition("\n### odd_spread\n")[2].partition("\n### ")[0]
    for line in (
        "odd_spread(bid, quotes, venue=None, /, *cap, nights, side, since,",
        "*look-back: `nights` rows; missing values: left out*",
        "- `bid` (*frame*), `quotes` (*irregular*): ",
        "- `venue` (*groups* or none): ",
        "- `cap` (*frame* each): ",
        "- `nights` (`int >= 2 and < 9`): ",
        '- `side` (`"buy"` or `"sell"`), `since` (date), `window` (`"narrow"` or `"wide"`), ',
        "`model` (`bool`), `count` (`str`): ",
        "- `tilt` (`float > 0 and < 1`), `weights` (`list`): ",
    ):
        assert line in section


def test_it_has_its_property_test() -> None:
    tried: list[Call] = []

    @settings(max_examples=30, deadline=None)
    @given(data=st.data())
    def any_call(data: st.DataObject) -> None:
        inputs, params = data.draw(calls(op.odd_spread))
        check(op.odd_spread, inputs, params)
        tried.append((inputs, params))

    any_call()
    assert {len(inputs) for inputs, _ in tried} == {3, 4, 5}
    assert {inputs[2] is None for inputs, _ in tried} == {True, False}
    for name, least in (("nights", 4), ("side", 2), ("since", 5), ("tilt", 5), ("model", 2)):
        assert len({params[name] for _, params in tried}) >= least, name
    assert {tuple(params["weights"]) for _, params in tried} == {(0.25, 0.5)}


def tomorrow(x: Frame, /) -> Frame:
    """Value of the next row."""
    return x.shift(-1)


def two_rows_ago(x: Frame, /) -> Frame:
    """Value of two rows ago."""
    return x.shift(2)


def filled_with_zero(x: Frame, /) -> Frame:
    """Value, or 0."""
    return x.fillna(0)


def of_all_shares(x: Frame, /) -> Frame:
    """Value less the mean of all shares."""
    return x.sub(x.mean(axis=1), axis=0)


@pytest.mark.parametrize(
    ("function", "declared", "instead"),
    [
        (tomorrow, {"lookback": 0}, {"lookback": 0, "looks_ahead": True}),
        (two_rows_ago, {"lookback": 1}, {"lookback": 2}),
        (filled_with_zero, {"lookback": 0, "missing": "kept"}, {"lookback": 0}),
    ],
)
def test_what_is_not_as_declared_is_found(
    function: Any, declared: dict[str, Any], instead: dict[str, Any]
) -> None:
    x = frame("prices").iloc[:12, :4].set_axis(list("ABCD"), axis=1)
    assert x.isna().any(axis=None)
    with pytest.raises(AssertionError):
        check(operator("time series", **declared)(function), [x], {})
    check(operator("time series", **instead)(function), [x], {})


def test_a_share_that_others_matter_to_is_found() -> None:
    x = frame("prices").iloc[:12, :4].set_axis(list("ABCD"), axis=1)
    with pytest.raises(AssertionError):
        check(operator("time series", lookback=0, missing="kept")(of_all_shares), [x], {})
    check(operator("cross section", missing="kept")(of_all_shares), [x], {})
