"""The checks of a catalog's variables; each mistake says where it stands and how to mend it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from deriv_ops.errors import Mistake
from deriv_ops.loading import Unknown
from deriv_ops.operators.declare import Operator
from deriv_ops.readers import find_table
from deriv_ops.references import ReferenceProblem, reference
from deriv_ops.variables import AbstractDerivation, FileVar, Place, Var, Variable

# What else the workflow calls a rule.
RESERVED_NAMES = frozenset({"all", "overview", "sample_market", "sample_tables"})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# A file name has 255 bytes on most file systems; the suffix and a temporary name need some.
_LONGEST_NAME = 200


def check_names(
    classes: Iterable[type[AbstractDerivation]], members: Iterable[FileVar | Var]
) -> Iterator[Mistake]:
    """Tell the names that are given twice or that can't be a file or a rule."""
    first: dict[str, Variable] = {}
    members = list(members)
    for cls in classes:
        for lost, old in cls.replaced:
            new = vars(cls)[lost]
            message = f"two variables of this name; the first, of line {old.place.line}, is lost"
            yield _mistake(getattr(new, "place", old.place), f"{cls.__name__}.{lost}", message)
    for variable in members:
        if (name := variable.name) is None:
            continue
        other = first.setdefault(name, variable)
        if other is not variable:
            where = f"{other.place.file}:{other.place.line}"
            message = f"two variables of this name; the other is at {where}"
            yield _mistake(variable.place, variable.label, message)
        if name in RESERVED_NAMES:
            yield _mistake(variable.place, variable.label, "the workflow has a rule of this name")
        elif not _NAME.fullmatch(name):
            message = (
                "can't be the name of a file and a rule: "
                "begin with a letter and use A-Z, a-z, 0-9 and _ only"
            )
            yield _mistake(variable.place, variable.label, message)
        elif len(name) > _LONGEST_NAME:
            message = f"is too long for a file: {len(name)} characters, at most {_LONGEST_NAME}"
            yield _mistake(variable.place, variable.label, message)


def check_variable(
    variable: FileVar | Var, inputs_dir: Path | None, made: frozenset[str]
) -> Iterator[Mistake]:
    """Tell what is wrong with one variable, its name aside."""
    found = (
        _file_problems(variable, inputs_dir, made)
        if isinstance(variable, FileVar)
        else [*_operator_problems(variable), *_parent_problems(variable)]
    )
    for message in found:
        yield _mistake(variable.place, variable.label, message)


def _file_problems(
    variable: FileVar, inputs_dir: Path | None, made: frozenset[str]
) -> Iterator[str]:
    if variable.reader is not None:
        if not callable(variable.reader):
            yield f"the reader is a {type(variable.reader).__name__}, not a function"
        else:
            yield from _unreachable(variable.reader, "the reader")
    if not isinstance(variable.filename, str) or not variable.filename:
        yield f"the file's name is {variable.filename!r}, not text"
        return
    if inputs_dir is None or (variable.filename in made and variable.input_folder is None):
        return
    folder = inputs_dir / (variable.input_folder or "")
    if find_table(folder / variable.filename) is None:
        yield (
            f"there is no file {folder / variable.filename}; "
            "put it there, or set inputs_dir in the configuration"
        )


def _operator_problems(variable: Var) -> Iterator[str]:
    operator = variable.operator
    if isinstance(operator, Unknown):
        yield operator.message
        return
    if not isinstance(operator, Operator):
        what = getattr(operator, "__name__", repr(operator))
        yield f"{what} isn't an operator: take one of op, or declare it with @operator()"
        return
    yield from _unreachable(operator.function, "the operator")
    wrong_count = operator.check_inputs(len(variable.parents))
    if wrong_count:
        yield f"{operator!r} {wrong_count}"
    if not isinstance(variable.params, Mapping):
        yield f"params are a {type(variable.params).__name__}, not a dict"
        return
    params, problems = operator.check_params(variable.params)
    for problem in [*problems, *_contradictions(params)]:
        yield f"{operator!r} {problem}"


def _contradictions(params: Mapping[str, Any]) -> Iterator[str]:
    """Tell params of which each is right by itself, and all would be missing, or the same."""
    for low, high in (("min_periods", "window"), ("lower", "upper")):
        least, most = params.get(low), params.get(high)
        if least is not None and most is not None and least > most:
            yield f"parameter {low!r}: {least!r} is more than {high!r}, which is {most!r}"


def _parent_problems(variable: Var) -> Iterator[str]:
    for position, parent in enumerate(variable.parents, 1):
        if isinstance(parent, Unknown):
            yield f"parent {position}: {parent.message}"
        elif not isinstance(parent, Variable):
            yield f"parent {position} is {parent!r}, not a variable of a catalog"
        elif parent.name is None:
            yield (
                f"parent {position} comes from nowhere: the {type(parent).__name__} made at "
                f"{parent.place.file}:{parent.place.line} isn't an attribute of a class"
            )


def _unreachable(function: Callable[..., object], what: str) -> Iterator[str]:
    try:
        reference(function)
    except ReferenceProblem as problem:
        yield f"{what} {problem}"


def _mistake(place: Place, subject: str, message: str) -> Mistake:
    return Mistake(place.file, place.line, subject, message)
