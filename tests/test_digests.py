"""Digests of code: what changes them, and what doesn't."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from deriv_ops import load_catalog
from deriv_ops.digests import code_digest
from deriv_ops.errors import DerivationError
from deriv_ops.job import as_param, check_code

HELPERS = """
    import functools

    FACTOR = 2.0
    OTHER = 5

    def scaled(x):
        return x * FACTOR

    def unused(x):
        return x

    class Scale:
        '''A scale.'''
        factor = 3

    def twice(function):
        @functools.wraps(function)
        def run(*arguments):
            return function(*arguments) * 2
        return run

    def power(n):
        def powered(x):
            return x ** n
        return powered

    square, cube = power(2), power(3)
    half = functools.partial(scaled, 0.5)

    class Weights:
        def __init__(self, w):
            self.w = w

        def apply(self, x):
            return x * self.w

    weights = Weights(7)

    def lazily(x):
        return x - 1

    MODES = {"up": lambda x: x.abs(), "down": unused}
    WORDS = {"b", "a"}
"""
OPERATORS = """
    import numpy as np
    import helpers
    from deriv_ops import Frame, operator
    from helpers import MODES, Scale

    @operator(aliases={"n": "rows"})
    def lagged(x: Frame, /, rows: int = 1) -> Frame:
        '''Lag.'''
        # moves rows down
        return helpers.scaled(x).shift(rows)

    @operator()
    @helpers.twice
    def mixed(x: Frame, /, size=helpers.OTHER) -> Frame:
        from helpers import lazily
        powers = helpers.square(x) + helpers.cube(x)
        return powers + helpers.half(x) + helpers.weights.apply(lazily(x))

    @operator()
    def stretched(x: Frame, /) -> Frame:
        return np.sqrt(MODES["up"](x)) * Scale.factor * len(helpers.WORDS)
"""


@pytest.fixture
def digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write the two modules with a change in one of them; return the digests of its operators."""
    monkeypatch.syspath_prepend(tmp_path)

    def of(old: str = "", new: str = "") -> tuple[str, ...]:
        sources = {"helpers": HELPERS, "operations": OPERATORS}
        assert not old or sum(old in source for source in sources.values()) == 1
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(dedent(source.replace(old, new, 1)))
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        module = importlib.import_module("operations")
        return tuple(map(code_digest, (module.lagged, module.stretched, module.mixed)))

    return of


@pytest.mark.parametrize(
    "old, new",
    [
        ("# moves rows down", "# moves all the rows down"),
        ("'''Lag.'''", "'''Lag by rows.'''"),
        ("'''A scale.'''", "'''A scale, three.'''"),
        ("helpers.scaled(x).shift(rows)", "helpers.scaled( x ).shift( rows )"),
        ('aliases={"n": "rows"}', 'aliases={"n": "rows", "lag": "rows"}'),
    ],
)
def test_what_doesn_t_compute_doesn_t_count(digests, old, new):
    assert digests(old, new) == digests()


@pytest.mark.parametrize(
    "old, new, changed",
    [
        ("shift(rows)", "shift(rows + 1)", (True, False, False)),
        ('{"n": "rows"}', '{"n": "rows"}, takes_infinite=True', (True, False, False)),
        ("rows: int = 1", "rows: int = 2", (True, False, False)),
        ("x * FACTOR", "x / FACTOR", (True, False, True)),
        ("FACTOR = 2.0", "FACTOR = 2.5", (True, False, True)),
        ("OTHER = 5", "OTHER = 6", (False, False, True)),
        ("* 2\n", "* 3\n", (False, False, True)),
        ("x ** n", "x ** -n", (False, False, True)),
        ("power(3)", "power(4)", (False, False, True)),
        ("(scaled, 0.5)", "(scaled, 0.6)", (False, False, True)),
        ("Weights(7)", "Weights(8)", (False, False, True)),
        ("x * self.w", "x / self.w", (False, False, True)),
        ("x - 1", "x - 2", (False, False, True)),
        ("np.sqrt", "np.log", (False, True, False)),
        ("factor = 3", "factor = 4", (False, True, False)),
        ("x.abs()", "x", (False, True, False)),
        ("return x\n", "return x + 1\n", (False, True, False)),
        ('{"b", "a"}', '{"b", "c"}', (False, True, False)),
    ],
)
def test_what_computes_counts_for_the_operator_that_uses_it(digests, old, new, changed):
    before, after = digests(), digests(old, new)
    assert tuple(a != b for a, b in zip(before, after, strict=True)) == changed


def test_digests_are_the_same_in_another_process(run_python):
    code = (
        "from deriv_ops import load_catalog, op; from deriv_ops.digests import code_digest;"
        "from deriv_ops.job import as_param; from deriv_ops.sample import write_market;"
        "print([as_param(variable) for variable in load_catalog('deriv_ops.catalogs.toy')]);"
        "print([code_digest(getattr(op, name)) for name in dir(op)], code_digest(write_market))"
    )
    assert run_python(code, PYTHONHASHSEED="1") == run_python(code, PYTHONHASHSEED="2")


def test_every_operator_of_the_toy_model_has_a_digest_of_its_own():
    operators = {
        v.operator for v in load_catalog("deriv_ops.catalogs.toy") if hasattr(v, "operator")
    }
    assert len({code_digest(operator) for operator in operators}) == len(operators) == 6


@pytest.mark.parametrize("name", ["all_prices", "fin_pricez1d"])
def test_a_worker_with_other_code_than_the_run_was_planned_with_refuses(name):
    catalog = load_catalog("deriv_ops.catalogs.toy")
    [variable] = [variable for variable in catalog if variable.name == name]
    derivation = as_param(variable)
    check_code(derivation)
    with pytest.raises(DerivationError, match=r"has other code on .*: rebuild the image, or"):
        check_code(derivation | {"code": "0" * 16})
