"""The words of a catalog: `FileVar`, `Var`, `FileMap`, `Map`, attributes of its classes.

    class Basic(AbstractDerivation):
        prices = FileVar("all_prices.csv")

    class Features(AbstractDerivation):
        returns = Var(op.pctdelta, Basic.prices, {"period": 1})
        means = Map(op.moving_average, [Basic.prices, returns], {"window": [5, 20]})

Making one checks nothing: `deriv_ops.load_catalog` does, and tells all the mistakes at once.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from deriv_ops.errors import did_you_mean
from deriv_ops.loading import Unknown, is_loading

Reader: TypeAlias = Callable[[Path], pd.DataFrame]


@dataclass(frozen=True)
class Place:
    """Where in a catalog's source something stands."""

    file: str
    line: int


def _place() -> Place:
    """Return the line of the catalog that is calling into this module."""
    frame = sys._getframe(1)
    while frame.f_globals.get("__name__") == __name__ and frame.f_back is not None:
        frame = frame.f_back
    return Place(frame.f_code.co_filename, frame.f_lineno)


class Variable:
    """What `FileVar` and `Var` share: a name, the class it belongs to, a value to compute."""

    name: str | None = None
    owner: type[AbstractDerivation] | None = None
    map_name: str | None = None
    place: Place

    def __set_name__(self, owner: type[AbstractDerivation], name: str) -> None:
        # The first name counts: `other = Basic.prices` in a class body is no second variable.
        if self.name is None:
            self.name, self.owner = name, owner

    @property
    def folder(self) -> str:
        """The persist folder of its class."""
        return self.owner.persist_folder if self.owner else ""

    @property
    def label(self) -> str:
        """``Class.name``, as people write it."""
        return f"{self.owner.__name__}.{self.name}" if self.owner else f"<{type(self).__name__}>"

    def compute(self, inputs_dir: str | Path | None = None) -> pd.DataFrame:
        """Compute it and what it needs in this process, each variable once, nothing written.

        `inputs_dir` is the folder of the input tables; by default that of ``config/config.yaml``
        below the current folder.
        """
        from deriv_ops.memory import MemoryEngine

        return MemoryEngine(inputs_dir).compute(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.label})"


class FileVar(Variable):
    """An input table: dates x shares, or a static one of one row a share.

    Parameters
    ----------
    filename: CSV (also .gz, .bz2, .xz, .zst), Parquet or Feather, by its suffix. A compressed
        file of the same name serves when the plain one isn't there.
    reader: a function of the path that returns a DataFrame, for any other kind of file.
    folder: where the file is, in place of the configured folder of inputs; relative to that one.

    """

    def __init__(
        self, filename: str, reader: Reader | None = None, folder: str | Path | None = None
    ) -> None:
        self.filename = filename
        self.reader = reader
        self.input_folder = folder
        self.place = _place()


class Var(Variable):
    """One operator over one parent or several.

    Parameters
    ----------
    operator: an attribute of ``op``, or any function declared with ``@operator``.
    parents: a variable, or a list of them in the order of the operator's inputs; a `Map` in it
        stands for all of its members.
    params: the operator's parameters by name.

    """

    def __init__(self, operator: Any, parents: Any, params: Any = None) -> None:
        self.operator = operator
        self.parents = tuple(_flattened(parents))
        self.params = {} if params is None else params
        self.place = _place()


class Map:
    """One `Var` for each parent and each value of a swept parameter.

    Parameters
    ----------
    operator: as of `Var`.
    parents: a list (or another `Map`) is one derivation for each of its items. A tuple holds the
        several parents of one derivation; a list or a `Map` inside of it is swept too. In a list
        of tuples each is one derivation.
    params: as of `Var`; a list as a value is swept, one derivation for each of its items.

    Members are named ``map__parent__param_value``, in the order in which they are written and with
    only what is swept: ``means__returns__window_20``. ``means[returns, 20]`` is that member,
    ``means[:, 20]`` those of all parents, ``means`` all of them.

    >>> from deriv_ops import AbstractDerivation, FileVar, Map, op
    >>> class Basic(AbstractDerivation):
    ...     prices = FileVar("prices.csv")
    ...     volumes = FileVar("volumes.csv")
    ...     means = Map(op.moving_average, [prices, volumes], {"window": [5, 20], "minp": 3})
    >>> [member.name for member in Basic.means][:2]
    ['means__prices__window_5', 'means__prices__window_20']
    >>> Basic.means[Basic.volumes, 20].name
    'means__volumes__window_20'
    >>> len(Basic.means[:, 20])
    2

    """

    name: str | None = None

    def __init__(self, operator: Any, parents: Any, params: Any = None) -> None:
        self.place = _place()
        params = {} if params is None else params
        swept = {}
        if isinstance(params, Mapping):
            swept = {key: value for key, value in params.items() if isinstance(value, list)}
        slots = parents if isinstance(parents, tuple) else (parents,)
        choices = [_choices(slot) for slot in slots] + list(swept.values())
        # What stands in a list is an axis, be it of one item.
        self._slots = len(slots)
        self._is_axis = [isinstance(slot, list | Map) for slot in slots] + [True] * len(swept)
        self._swept = list(swept)
        self._members: dict[tuple[int, ...], FileVar | Var] = {}
        self._choices = choices
        for position in product(*(range(len(choice)) for choice in choices)):
            point = [choice[i] for choice, i in zip(choices, position, strict=True)]
            values = dict(zip(swept, point[len(slots) :], strict=True))
            chosen = {**params, **values} if swept else params
            member = Var(operator, [*_chain(point[: len(slots)])], chosen)
            member.place = self.place
            self._members[position] = member

    def __set_name__(self, owner: type[AbstractDerivation], name: str) -> None:
        if self.name is not None:
            return
        self.name = name
        for position, member in self._members.items():
            parts = [name]
            for axis, index in enumerate(position):
                if not self._is_axis[axis]:
                    continue
                if axis < self._slots:
                    parts += self._parent_words(axis, index)
                else:
                    value = self._choices[axis][index]
                    parts.append(f"{self._swept[axis - self._slots]}_{_word(value)}")
            member.map_name = name
            member.__set_name__(owner, "__".join(parts))

    def _parent_words(self, axis: int, index: int) -> list[str]:
        """Name the parents of one choice; of several only those that vary, or the first."""
        choice = self._choices[axis]
        varying = [
            slot
            for slot in range(len(choice[index]))
            if any(other[slot : slot + 1] != choice[index][slot : slot + 1] for other in choice)
        ]
        return [str(getattr(choice[index][slot], "name", None)) for slot in varying or [0]]

    def __getitem__(self, key: Any) -> FileVar | Var | tuple[FileVar | Var, ...]:
        """Return the member at a point of the sweep, or those along ``:``."""
        axes = [axis for axis, is_axis in enumerate(self._is_axis) if is_axis]
        # One pair of parents is a tuple as well as the key of several axes is.
        keys = list(key) if isinstance(key, tuple) and len(axes) > 1 else [key]
        if len(keys) > len(axes):
            raise KeyError(f"{self!r} has {len(axes)} axes, got {len(keys)} keys")
        keys += [slice(None)] * (len(axes) - len(keys))
        wanted = dict(zip(axes, keys, strict=True))
        found = tuple(
            member
            for position, member in self._members.items()
            if all(self._is_at(axis, position[axis], k) for axis, k in wanted.items())
        )
        if any(isinstance(k, slice) for k in keys):
            return found
        if not found:
            message = f"{self!r} has no member at {key!r}"
            if is_loading():
                return Unknown(message)  # type: ignore[return-value]
            raise KeyError(message)
        return found[0]

    def _is_at(self, axis: int, index: int, key: Any) -> bool:
        value = self._choices[axis][index]
        if isinstance(key, slice):
            return key == slice(None)
        if axis >= self._slots:
            return type(value) is type(key) and bool(value == key)
        names = key if isinstance(key, tuple) else (key,)
        return len(names) == len(value) and all(
            parent is name or (isinstance(name, str) and getattr(parent, "name", None) == name)
            for parent, name in zip(value, names, strict=True)
        )

    def __iter__(self) -> Iterator[FileVar | Var]:
        return iter(self._members.values())

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return f"Map({self.name}, {len(self)} members)"


class FileMap(Map):
    """One `FileVar` for each of several names.

    Parameters
    ----------
    pattern: the file's name, with ``{}`` for the member's.
    names: the members.
    reader, folder: as of `FileVar`.

    Members are named ``map__name``; ``scores["esg"]`` is that member. It can be a parent wherever
    a `Map` can.

    >>> from deriv_ops import AbstractDerivation, FileMap, Map, op
    >>> class Basic(AbstractDerivation):
    ...     scores = FileMap("scores/{}.parquet", ["esg", "credit"])
    ...     ranks = Map(op.rank, scores)
    >>> Basic.scores["credit"].filename, [member.name for member in Basic.ranks]
    ('scores/credit.parquet', ['ranks__scores__esg', 'ranks__scores__credit'])

    """

    def __init__(
        self,
        pattern: str,
        names: Iterable[str],
        reader: Reader | None = None,
        folder: str | Path | None = None,
    ) -> None:
        self.place = _place()
        self._choices: list[list[Any]] = [list(names)]
        self._slots = 0
        self._is_axis = [True]
        self._members = {}
        for position, name in enumerate(self._choices[0]):
            member = FileVar(pattern.replace("{}", str(name)), reader, folder)
            member.place = self.place
            self._members[(position,)] = member

    def __set_name__(self, owner: type[AbstractDerivation], name: str) -> None:
        if self.name is None:
            self.name = name
            for (position,), member in self._members.items():
                member.map_name = name
                member.__set_name__(owner, f"{name}__{_word(self._choices[0][position])}")


def _flattened(parents: Any) -> Iterator[Any]:
    for parent in parents if isinstance(parents, list | tuple | Map) else [parents]:
        if isinstance(parent, list | tuple | Map):
            yield from _flattened(parent)
        else:
            yield parent


def _choices(slot: Any) -> list[tuple[Any, ...]]:
    """Return what a slot of parents can be: each choice a tuple of parents."""
    if isinstance(slot, Map):
        return [(member,) for member in slot]
    if isinstance(slot, list):
        return [choice for item in slot for choice in _choices(item)]
    return [slot if isinstance(slot, tuple) else (slot,)]


def _chain(choices: list[tuple[Any, ...]]) -> Iterator[Any]:
    for choice in choices:
        yield from choice


def _word(value: Any) -> str:
    """Spell a value of a parameter so that it can be part of a name.

    >>> [_word(value) for value in (20, 0.5, -1, 1e-05, True, None, "2019-12-31")]
    ['20', '0p5', 'm1', '1em05', 'true', 'none', '2019_12_31']
    """
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value).replace("-", "m").replace("+", "").replace(".", "p")
    return re.sub(r"\W", "_", str(value), flags=re.ASCII)


class _ClassBody(dict[str, Any]):
    """The names of a class body; remembers a variable that a second one of its name replaces."""

    def __init__(self) -> None:
        super().__init__()
        self.replaced: list[tuple[str, Variable | Map]] = []

    def __setitem__(self, name: str, value: Any) -> None:
        old = self.get(name)
        if isinstance(old, Variable | Map) and old is not value:
            self.replaced.append((name, old))
        super().__setitem__(name, value)


class _Derivations(type):
    """The type of the classes of a catalog."""

    replaced: list[tuple[str, Variable | Map]]

    @classmethod
    def __prepare__(mcs, name: str, bases: tuple[type, ...], /, **kwds: Any) -> _ClassBody:
        return _ClassBody()

    def __new__(
        mcs, name: str, bases: tuple[type, ...], body: dict[str, Any], /, **kwds: Any
    ) -> _Derivations:
        made = super().__new__(mcs, name, bases, dict(body), **kwds)
        made.replaced = getattr(body, "replaced", [])
        return made

    def __getattr__(cls, name: str) -> Unknown:
        known = [key for key, value in vars(cls).items() if isinstance(value, Variable | Map)]
        message = f"{cls.__name__} has no variable {name!r}{did_you_mean(name, known)}"
        if is_loading() and not name.startswith("_"):
            return Unknown(message)
        raise AttributeError(message)


class AbstractDerivation(metaclass=_Derivations):
    """Base of the classes of a catalog; its variables are its attributes.

    `persist_folder` is the folder of the class's results, below the configured folder of results
    or absolute; without one it is the class's name in lower case.
    """

    persist_folder: str = ""

    def __init_subclass__(cls, **kwds: Any) -> None:
        super().__init_subclass__(**kwds)
        if "persist_folder" not in vars(cls):
            cls.persist_folder = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
