"""The files of the project agree with one another."""

from __future__ import annotations

import runpy
import tomllib

import pytest
from conftest import ROOT
from packaging.requirements import Requirement

from deriv_ops import op


def locked(name: str) -> dict[str, list[Requirement]]:
    pins: dict[str, list[Requirement]] = {}
    for line in (ROOT / name).read_text().splitlines():
        requirement = Requirement(line)
        pins.setdefault(requirement.name.lower(), []).append(requirement)
    return pins


def test_the_conda_environment_has_the_pins_of_the_lock():
    written = (ROOT / "envs/environment.yaml").read_text()
    assert written == runpy.run_path(str(ROOT / "envs/pin.py"))["environment"]()


def test_the_locks_pin_what_is_declared_within_its_bounds():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    runs, develops = locked("requirements.lock"), locked("requirements-dev.lock")
    declared = project["dependencies"], project["optional-dependencies"]["dev"]
    for requirements, pins in zip(declared, (runs, develops), strict=True):
        for text in requirements:
            requirement = Requirement(text)
            if (ROOT / requirement.name).is_dir():
                continue  # stands beside the project, and has no release to be pinned
            for pin in pins[requirement.name.lower()]:
                (version,) = (specifier.version for specifier in pin.specifier)
                assert requirement.specifier.contains(version), (text, version)
    # The same versions; a tool may want a library on more platforms than runs do.
    for name, pins in runs.items():
        assert {str(p.specifier) for p in pins} == {str(p.specifier) for p in develops[name]}


@pytest.mark.parametrize("name", dir(op))
def test_an_operator_says_what_a_user_has_to_know(name):
    text = getattr(op, name).function.__doc__
    for part in ("Parameters", "Returns", "Missing values: ", "dates x shares", ">>> "):
        assert part in text, f"the docstring of op.{name} has no {part!r}"
    documented = text.partition("Returns")[0]
    for parameter in [*getattr(op, name).defaults, *(i.name for i in getattr(op, name).inputs)]:
        assert parameter in documented, f"op.{name} doesn't say what {parameter} is"


def test_the_reference_of_the_operators_is_theirs():
    made = runpy.run_path(str(ROOT / "docs/make.py"))["page"]()
    assert (ROOT / "docs/operators.md").read_text() == made, "run `make docs`"


def test_the_reference_says_what_is_taken():
    text = (ROOT / "docs/operators.md").read_text()
    for line in (
        "- `groups` (*groups* or none): ",
        "- `table` (*irregular*): ",
        "- `others` (*frame* each): ",
        "- `x`, `y` (*frame*): ",
        "- `min_periods` (`int >= 1` or `None`): ",
        "- `quantile` (`float >= 0 and <= 1`): ",
        '- `on` (`"level"` or `"correlation"`): ',
        "- `end_date` (date or `None`): ",
        "- `do_reduce` (`bool`): ",
    ):
        assert line in text, line
    for name in dir(op):
        section = text.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
        for given in [*getattr(op, name).defaults, *(i.name for i in getattr(op, name).inputs)]:
            assert f"`{given}` (" in section or f"`{given}`, " in section, (name, given)
