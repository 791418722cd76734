"""The mistakes of a catalog: each is told with class, variable, file and line, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from deriv_ops import CatalogError, op

# A class body, and what is said of it: (line in the body, variable, message).
MISTAKES = {
    "no such operator": (
        "x = Var(op.pctdeltaa, Basic.prices)",
        ("x", "there is no operator 'pctdeltaa'; did you mean 'pctdelta'?"),
    ),
    "a function that is no operator": (
        "x = Var(len, Basic.prices)",
        ("x", "len isn't an operator: take one of op, or declare it with @operator()"),
    ),
    "an operator that can't be imported": (
        "x = Var(operator()(lambda x, /: x), Basic.prices)",
        (
            None,
            "TypeError: operator <lambda>: input 'x' must be annotated Frame, Groups or Irregular",
        ),
    ),
    "unknown param": (
        "x = Var(op.moving_average, Basic.prices, {'windwo': 5, 'window': 5})",
        (
            "x",
            "op.moving_average has no parameter 'windwo' (it takes window, min_periods); "
            "did you mean 'window'?",
        ),
    ),
    "missing param": (
        "x = Var(op.moving_average, Basic.prices)",
        ("x", "op.moving_average needs the parameter 'window'"),
    ),
    "ill-typed param": (
        "x = Var(op.moving_average, Basic.prices, {'window': 'five'})",
        (
            "x",
            "op.moving_average parameter 'window': input should be a valid integer, got 'five'",
        ),
    ),
    "a bool isn't a number": (
        "x = Var(op.moving_average, Basic.prices, {'window': True})",
        ("x", "op.moving_average parameter 'window': input should be a valid integer, got True"),
    ),
    "param out of its range": (
        "x = Var(op.pctdelta, Basic.prices, {'period': 0})",
        (
            "x",
            "op.pctdelta parameter 'period': input should be greater than or equal to 1, got 0",
        ),
    ),
    "more observations than rows": (
        "x = Var(op.zscore, Basic.prices, {'window': 20})",
        ("x", "op.zscore parameter 'min_periods': 60 is more than 'window', which is 20"),
    ),
    "bounds in the wrong order": (
        "x = Var(op.winsorize, Basic.prices, {'lower': 0.9, 'upper': 0.1})",
        ("x", "op.winsorize parameter 'lower': 0.9 is more than 'upper', which is 0.1"),
    ),
    "param that isn't a date": (
        "x = Var(op.get_clusters, Basic.prices, {'dend': '2020-13-01'})",
        (
            "x",
            "op.get_clusters parameter 'end_date': value error, not a date: '2020-13-01', "
            "got '2020-13-01'",
        ),
    ),
    "param given in two spellings": (
        "x = Var(op.zscore, Basic.prices, {'minp': 5, 'min_periods': 5})",
        ("x", "op.zscore got both 'min_periods' and another spelling of 'min_periods'"),
    ),
    "params that are no dict": (
        "x = Var(op.pctdelta, Basic.prices, 5)",
        ("x", "params are a int, not a dict"),
    ),
    "too many parents": (
        "x = Var(op.pctdelta, [Basic.prices, Basic.prices])",
        ("x", "op.pctdelta takes 1 parents (x), got 2"),
    ),
    "too few parents": (
        "x = Var(op.correl, Basic.prices, {'window': 5})",
        ("x", "op.correl takes 2 parents (x, y), got 1"),
    ),
    "parents of an optional input": (
        "x = Var(op.calc_dev_by, [])",
        ("x", "op.calc_dev_by takes 1 to 2 parents (x, [groups]), got 0"),
    ),
    "a parent that its class doesn't have": (
        "x = Var(op.pctdelta, Basic.price)",
        ("x", "parent 1: Basic has no variable 'price'; did you mean 'prices'?"),
    ),
    "a parent that isn't a variable": (
        "x = Var(op.pctdelta, 'prices')",
        ("x", "parent 1 is 'prices', not a variable of a catalog"),
    ),
    "a parent without a name": (
        "x = Var(op.pctdelta, Var(op.pctdelta, Basic.prices))",
        (
            "x",
            "parent 1 comes from nowhere: the Var made at {file}:7 isn't an attribute of a class",
        ),
    ),
    "a member that a map doesn't have": (
        "m = Map(op.pctdelta, Basic.prices, {'period': [1, 2]})\n    x = Var(op.pctdelta, m[3])",
        ("x", "parent 1: Map(None, 2 members) has no member at 3"),
    ),
    "a name that is taken by another class": (
        "prices = Var(op.pctdelta, Basic.prices)",
        ("prices", "two variables of this name; the other is at {file}:4"),
    ),
    "a name that the workflow has": (
        "all = Var(op.pctdelta, Basic.prices)",
        ("all", "the workflow has a rule of this name"),
    ),
    "a name that is no file name": (
        "prix_ajusté = Var(op.pctdelta, Basic.prices)",
        (
            "prix_ajusté",
            "can't be the name of a file and a rule: begin with a letter and use A-Z, a-z, 0-9 "
            "and _ only",
        ),
    ),
    "a name that is too long": (
        f"{'x' * 201} = Var(op.pctdelta, Basic.prices)",
        ("x" * 201, "is too long for a file: 201 characters, at most 200"),
    ),
    "a member's name that is taken": (
        "m = Map(op.pctdelta, [Basic.prices, Basic.prices])",
        ("m__prices", "two variables of this name; the other is at {file}:7"),
    ),
    "a reader that is no function": (
        "x = FileVar('x.csv', reader='csv')",
        ("x", "the reader is a str, not a function"),
    ),
    "a reader that no job could import": (
        "x = FileVar('x.csv', reader=lambda path: None)",
        (
            "x",
            "the reader 'X.<lambda>' must be a function at the top of a module that can be "
            "imported",
        ),
    ),
    "a file name that isn't text": (
        "x = FileVar(5)",
        ("x", "the file's name is 5, not text"),
    ),
}


@pytest.mark.parametrize("body, told", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_its_place(catalog_of, tmp_path: Path, body, told):
    with pytest.raises(CatalogError) as error:
        catalog_of(
            f"""
class Basic(AbstractDerivation):
    prices = FileVar("prices.csv")

class X(AbstractDerivation):
    {body}
"""
        )
    file = tmp_path / "catalog.py"
    subject, message = told
    subject = f"X.{subject}" if subject else "X"
    (mistake,) = error.value.mistakes
    line = 8 if "\n" in body else 7
    assert str(mistake) == f"{file}:{line}: {subject}: {message.replace('{file}', str(file))}"


def test_two_variables_of_one_name_in_one_class(catalog_of, tmp_path: Path):
    with pytest.raises(CatalogError) as error:
        catalog_of(
            """
            class Basic(AbstractDerivation):
                prices = FileVar("prices.csv")
                prices = FileVar("other.csv")
            """
        )
    (mistake,) = error.value.mistakes
    assert str(mistake) == (
        f"{tmp_path}/catalog.py:5: Basic.prices: two variables of this name; "
        "the first, of line 4, is lost"
    )


def test_all_mistakes_are_told_at_once(catalog_of, tmp_path: Path):
    with pytest.raises(CatalogError) as error:
        catalog_of(
            """
            class Basic(AbstractDerivation):
                prices = FileVar("prices.csv")
                missing = FileVar("missing.csv")

            class X(AbstractDerivation):
                a = Var(op.pctdelta, Basic.price, {"perod": 1})
                b = Var(op.nothing, [Basic.prices, "b"])
                c = Var(op.pctdelta, a)
            """,
            inputs_dir=tmp_path,
            made=["prices.csv"],
        )
    told = [(mistake.line, mistake.subject) for mistake in error.value.mistakes]
    assert told == [(5, "Basic.missing"), (8, "X.a"), (8, "X.a"), (9, "X.b"), (9, "X.b")]
    assert str(error.value).startswith("5 mistakes in the catalog ")


def test_what_stands_above_a_line_that_fails_is_checked_too(catalog_of, tmp_path: Path):
    with pytest.raises(CatalogError) as error:
        catalog_of(
            """
            class Basic(AbstractDerivation):
                prices = FileVar("prices.csv")
                returns = Var(op.pctdelta, prices, {"period": 0.5})

            class X(AbstractDerivation):
                x = Var(op.pctdelta, pricess)
            """
        )
    first, second = error.value.mistakes
    assert (first.line, first.subject) == (5, "Basic.returns")
    assert str(second) == f"{tmp_path}/catalog.py:8: X: NameError: name 'pricess' is not defined"


@pytest.mark.parametrize(
    "text, told",
    [
        ("x = (", "catalog.py:2: the module: SyntaxError: '(' was never closed"),
        ("import no_such_module", "2: the module: ModuleNotFoundError: No module named"),
        ("x = 1", "catalog.py:1: the module: has no class of AbstractDerivation with variables"),
    ],
)
def test_a_module_that_is_no_catalog(catalog_of, text, told):
    with pytest.raises(CatalogError) as error:
        catalog_of(text)
    assert told in str(error.value)


def test_a_catalog_that_isn_t_there(tmp_path: Path):
    from deriv_ops import load_catalog

    with pytest.raises(CatalogError, match="No such file"):
        load_catalog(tmp_path / "catalog.py")
    with pytest.raises(CatalogError, match="No module named 'nowhere'"):
        load_catalog("nowhere.catalog")


def test_a_missing_input_file_is_told_with_the_mend(catalog_of, tmp_path: Path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "there.csv.gz").touch()
    text = """
        class Basic(AbstractDerivation):
            there = FileVar("there.csv")
            gone = FileVar("gone.csv")
            elsewhere = FileVar("gone.csv", folder="sub")
        """
    with pytest.raises(CatalogError) as error:
        catalog_of(text, inputs_dir=tmp_path / "in")
    assert [m.subject for m in error.value.mistakes] == ["Basic.gone", "Basic.elsewhere"]
    assert str(error.value.mistakes[0]).endswith(
        f"there is no file {tmp_path}/in/gone.csv; put it there, or set inputs_dir in the "
        "configuration"
    )


def test_outside_of_a_catalog_an_unknown_name_raises_at_once(catalog_of):
    with pytest.raises(AttributeError, match="no operator 'zscor'; did you mean 'zscore'"):
        op.zscor  # noqa: B018
    catalog = catalog_of("class Basic(AbstractDerivation):\n    prices = FileVar('prices.csv')")
    with pytest.raises(AttributeError, match="Basic has no variable 'price'"):
        catalog["prices"].owner.price  # noqa: B018
