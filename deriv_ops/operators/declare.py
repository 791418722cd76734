"""How an operator is declared: a function, its signature and one decorator.

The signature says what it takes: positional-only arguments are inputs (their annotation says which
kind), the others are parameters (their annotation says which values they take). The decorator says
what a result may depend on. From both follow the checks of a catalog, the conventions applied to
the inputs, the documentation and the tests.

    >>> from typing import Annotated
    >>> from annotated_types import Ge
    >>> @operator("time series", lookback=lambda rows: rows, missing="kept", aliases={"n": "rows"})
    ... def shifted(x: Frame, /, rows: Annotated[int, Ge(0)] = 1) -> Frame:
    ...     return x.shift(rows)
    >>> [(i.name, i.kind, i.required) for i in shifted.inputs]
    [('x', 'frame', True)]
    >>> shifted.lookback({"rows": 3})
    3
    >>> shifted.check_params({"n": 2})
    ({'rows': 2}, [])
    >>> shifted.check_params({"row": 2})
    ({}, ["has no parameter 'row' (it takes rows); did you mean 'rows'?"])
"""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, update_wrapper
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, get_args, get_origin

import numpy as np
import pandas as pd
from pydantic import BeforeValidator, WithJsonSchema

from deriv_ops.errors import OperatorError, did_you_mean
from deriv_ops.operators.conventions import conform

if TYPE_CHECKING:
    from pydantic import BaseModel

InputKind: TypeAlias = Literal["frame", "groups", "irregular"]

# What one value of the result depends on: the history of its own share; its own date; both,
# without bounds.
Kind: TypeAlias = Literal["time series", "cross section", "panel"]

# What becomes of a missing value: the result is missing there too, for the same share on the same
# date; it is left out of what is computed from several, and there may be a result; it is filled in.
Missing: TypeAlias = Literal["kept", "left out", "filled"]

# How many rows before its own a row of the result depends on, None for all: a number, or a
# function of the parameters it names.
Lookback: TypeAlias = int | Callable[..., int | None] | None

# How many numbers an operator works on beside frames of its inputs' size: a function of the number
# of `columns`, and of parameters by their names.
Working: TypeAlias = Callable[..., int] | None

# An input of numbers, dates x shares.
Frame: TypeAlias = Annotated[pd.DataFrame, "frame"]
# An input of labels: dates x shares, or a static table of one row a share.
Groups: TypeAlias = Annotated[pd.DataFrame, "groups"]
# An input of numbers on dates of its own, which is not aligned to the first one's.
Irregular: TypeAlias = Annotated[pd.DataFrame, "irregular"]


def _iso_date(value: object) -> object:
    if isinstance(value, dt.datetime | dt.date | str | np.datetime64):
        try:
            return pd.Timestamp(value).date().isoformat()
        except ValueError as error:
            raise ValueError(f"not a date: {value!r}") from error
    return value


# A parameter that is a date: ISO text, a datetime.date or a pandas.Timestamp; text when it is used.
Date: TypeAlias = Annotated[
    str, BeforeValidator(_iso_date), WithJsonSchema({"type": "string", "format": "date"})
]


@dataclass(frozen=True)
class Input:
    """One input of an operator."""

    name: str
    kind: InputKind
    required: bool


@dataclass(eq=False, repr=False)
class Operator:
    """A declared operator; calling it applies the conventions, then the function.

    Attributes
    ----------
    function: the plain function.
    kind: what a value of the result depends on.
    missing: what becomes of a missing value.
    rows_back: how many earlier rows a row of the result depends on; see `lookback`.
    aliases: other spellings of its parameters, with the documented name of each.
    looks_ahead: whether a row of the result may depend on later rows of the inputs.
    working: what it works on beside frames; see `working_numbers`.
    takes_infinite: whether the function itself takes infinite values for missing ones; else a pass
        over the inputs, before it runs, looks for them.

    """

    function: Callable[..., pd.DataFrame]
    kind: Kind = "panel"
    missing: Missing = "left out"
    rows_back: Lookback = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    looks_ahead: bool = False
    working: Working = None
    takes_infinite: bool = False

    def __post_init__(self) -> None:
        update_wrapper(self, self.function)
        unknown = set(self.aliases.values()) - set(self.defaults)
        if unknown:
            raise TypeError(f"operator {self.name}: aliases of no parameter: {sorted(unknown)}")
        if not self.inputs or self.inputs[0].kind != "frame" or not self.inputs[0].required:
            raise TypeError(f"operator {self.name}: its first input must be a Frame, before the /")

    @property
    def name(self) -> str:
        """The operator's name, that of its function."""
        return self.function.__name__

    @cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(self.function, eval_str=True)

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        """The inputs in their order; the last stands for any number when `variadic`."""
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)
        parameters = [p for p in self._signature.parameters.values() if p.kind in kinds]
        return tuple(
            # Of any number of inputs there must be one only if there is no other before them.
            Input(
                p.name,
                _kind(self.name, p),
                p.default is p.empty and (p.kind in kinds[:1] or not at),
            )
            for at, p in enumerate(parameters)
        )

    @cached_property
    def variadic(self) -> bool:
        """Whether it takes any number of inputs (``*frames``), one at the least."""
        parameters = self._signature.parameters.values()
        return any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """The parameters with their defaults, `inspect.Parameter.empty` where there is none."""
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        parameters = self._signature.parameters.values()
        return {p.name: p.default for p in parameters if p.kind in kinds}

    @cached_property
    def schemas(self) -> dict[str, dict[str, Any]]:
        """What each parameter takes, as JSON Schema: its type, bounds, choices and default."""
        schemas: dict[str, dict[str, Any]] = self._model.model_json_schema()["properties"]
        return schemas

    def lookback(self, params: Mapping[str, Any]) -> int | None:
        """How many rows before its own a row of the result depends on; None for all."""
        if self.kind == "cross section":
            return 0
        if not callable(self.rows_back):
            return self.rows_back
        rows: int | None = _call(self.rows_back, params)
        return rows

    def working_numbers(self, columns: int, params: Mapping[str, Any]) -> int:
        """How many numbers it works on beside frames of its inputs' size."""
        return _call(self.working, {**params, "columns": columns}) if self.working else 0

    @cached_property
    def _model(self) -> type[BaseModel]:
        from pydantic import ConfigDict, create_model

        parameters = self._signature.parameters
        fields: dict[str, Any] = {
            name: (
                parameters[name].annotation,
                ... if default is inspect.Parameter.empty else default,
            )
            for name, default in self.defaults.items()
        }
        strict = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
        return create_model(self.name, __config__=strict, **fields)

    def check_inputs(self, count: int) -> str | None:
        """What is wrong with being given `count` inputs; None when nothing is."""
        least = sum(i.required for i in self.inputs)
        most = len(self.inputs)
        if least <= count and (count <= most or self.variadic):
            return None
        names = ", ".join(i.name if i.required else f"[{i.name}]" for i in self.inputs)
        takes = (
            f"{least} or more" if self.variadic else " to ".join(map(str, sorted({least, most})))
        )
        return f"takes {takes} parents ({names}), got {count}"

    def check_params(self, params: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Return the parameters by their documented names with the defaults filled in, as JSON.

        The second item lists what is wrong; the first is empty then.
        """
        from pydantic import ValidationError

        given: dict[str, Any] = {}
        problems = []
        for key, value in params.items():
            name = self.aliases.get(key, key)
            if name in given:
                problems.append(f"got both {key!r} and another spelling of {name!r}")
            given[name] = value.item() if isinstance(value, np.generic) else value
        try:
            model = self._model.model_validate(given)
        except ValidationError as error:
            problems += [self._problem(item) for item in error.errors()]
        return ({}, problems) if problems else (model.model_dump(mode="json"), [])

    def _problem(self, item: Any) -> str:
        name = ".".join(map(str, item["loc"]))
        if item["type"] == "extra_forbidden":
            takes = ", ".join(self.defaults) or "none"
            possible = [*self.defaults, *self.aliases]
            return f"has no parameter {name!r} (it takes {takes}){did_you_mean(name, possible)}"
        if item["type"] == "missing":
            return f"needs the parameter {name!r}"
        return f"parameter {name!r}: {item['msg'].lower()}, got {item['input']!r}"

    def __call__(self, *inputs: pd.DataFrame | None, **params: Any) -> pd.DataFrame:
        """Check the parameters, apply the conventions to the inputs and compute."""
        checked, problems = self.check_params(params)
        wrong_count = self.check_inputs(len(inputs))
        if wrong_count:
            problems.insert(0, wrong_count)
        if problems:
            raise OperatorError(f"{self.name} " + "; ".join(problems))
        return self.apply(inputs, checked)

    def apply(
        self, inputs: Sequence[pd.DataFrame | None], params: Mapping[str, Any]
    ) -> pd.DataFrame:
        """Compute from parameters that `check_params` has passed."""
        return self.function(*conform(self, inputs), **params)

    def __repr__(self) -> str:
        return f"op.{self.name}"


def operator(
    kind: Kind = "panel",
    *,
    missing: Missing = "left out",
    lookback: Lookback = None,
    aliases: Mapping[str, str] | None = None,
    looks_ahead: bool = False,
    working: Working = None,
    takes_infinite: bool = False,
) -> Callable[[Callable[..., pd.DataFrame]], Operator]:
    """Declare an operator. Without arguments nothing is promised of it.

    Parameters
    ----------
    kind: what one value of the result depends on: ``time series`` (the history of its own share),
        ``cross section`` (all shares of its own date), ``panel`` (anything).
    missing: what becomes of a missing value: ``kept``, ``left out`` of what is computed from
        several, or ``filled``.
    lookback: how many rows before its own a row of the result depends on: a number, a function of
        parameters by their names, None for all history; none at all for a cross section.
    aliases: other spellings of parameters, with the documented name of each.
    looks_ahead: say so when a row of the result may depend on later rows.
    working: how many numbers it works on at most beside frames of its inputs' size, of which it may
        have as many as `blocks.frames_at_work` says: a function of the number of `columns` and of
        parameters by their names, such as ``lambda columns: columns**2``.
    takes_infinite: say so when the function itself takes infinite values for missing ones, which
        spares the pass over the inputs that does it else.

    """

    def declare(function: Callable[..., pd.DataFrame]) -> Operator:
        return Operator(
            function,
            kind,
            missing,
            lookback,
            dict(aliases or {}),
            looks_ahead,
            working,
            takes_infinite,
        )

    return declare


def _call(function: Callable[..., Any], values: Mapping[str, Any]) -> Any:
    """Call a function with those of the values that it has parameters for."""
    return function(**{name: values[name] for name in inspect.signature(function).parameters})


def _kind(operator_name: str, parameter: inspect.Parameter) -> InputKind:
    # `Frame | None` is a union of one annotated type and None.
    annotations = [parameter.annotation, *get_args(parameter.annotation)]
    for annotation in annotations:
        if get_origin(annotation) is Annotated and get_args(annotation)[0] is pd.DataFrame:
            kind: InputKind = get_args(annotation)[1]
            return kind
    raise TypeError(
        f"operator {operator_name}: input {parameter.name!r} must be annotated Frame, Groups or "
        "Irregular"
    )
