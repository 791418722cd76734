"""Loading a catalog: import it, find its variables, check them, put them in order."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from deriv_ops.checks import check_names, check_variable
from deriv_ops.errors import CatalogError, ConfigError, Mistake, did_you_mean
from deriv_ops.loading import collecting_mistakes
from deriv_ops.locations import location
from deriv_ops.references import is_installed
from deriv_ops.variables import AbstractDerivation, FileVar, Map, Var, Variable


@dataclass(frozen=True)
class Catalog:
    """The variables of a catalog by name, parents before children, and its maps."""

    reference: str
    variables: Mapping[str, FileVar | Var]
    maps: Mapping[str, Map]

    def __getitem__(self, name: str) -> FileVar | Var:
        """Return the variable of that name."""
        return self.variables[name]

    def __iter__(self) -> Iterator[FileVar | Var]:
        return iter(self.variables.values())

    def __len__(self) -> int:
        return len(self.variables)

    def select(self, vars_to_launch: Iterable[str]) -> list[FileVar | Var]:
        """Return the variables of these names (a map's name is all its members); all without any.

        Raises `ConfigError` with all the names that aren't in the catalog.
        """
        chosen: dict[str, FileVar | Var] = {}
        unknown = []
        for name in vars_to_launch:
            if name in self.maps:
                chosen |= {str(member.name): member for member in self.maps[name]}
            elif name in self.variables:
                chosen[name] = self.variables[name]
            elif "." in name or "/" in name:
                unknown.append(f"{name}, and there is no such file")
            else:
                unknown.append(name + did_you_mean(name, [*self.variables, *self.maps]))
        if unknown:
            raise ConfigError(
                f"vars_to_launch: not in the catalog {self.reference}: " + ", ".join(unknown)
            )
        return list(chosen.values()) or list(self)


def load_catalog(
    reference: str | Path, inputs_dir: str | Path | None = None, made: Iterable[str] = ()
) -> Catalog:
    """Load the catalog of a module (``package.module``) or of a file (``folder/catalog.py``).

    With `inputs_dir` the input files must be there, except those that the workflow itself makes
    (`made`). Raises `CatalogError`, which lists every mistake with its class, variable, file and
    line.
    """
    module = ModuleType("")
    mistakes: list[Mistake] = []
    with collecting_mistakes():
        try:
            module = _import(str(reference))
        except Exception as error:
            mistakes.append(_import_mistake(str(reference), error))
            module = getattr(error, "partly_loaded", module)
    classes = list(_classes(module))
    members = [v for cls in classes for v in _members(cls)]
    mistakes += check_names(classes, members)
    folder = None if inputs_dir is None else location(inputs_dir)
    for variable in members:
        mistakes += check_variable(variable, folder, frozenset(made))
    if not members and not mistakes:
        mistakes.append(
            Mistake(
                str(reference), 1, "the module", "has no class of AbstractDerivation with variables"
            )
        )
    if mistakes:
        raise CatalogError(str(reference), sorted(mistakes, key=lambda m: (m.file, m.line)))
    maps = {
        name: value
        for cls in classes
        for name, value in vars(cls).items()
        if isinstance(value, Map) and value.name == name
    }
    return Catalog(str(reference), {str(v.name): v for v in _ordered(members)}, maps)


def import_folder(reference: str) -> Path | None:
    """Return the folder that must be on the import path for a catalog that is given as a file."""
    return Path(reference).resolve().parent if reference.endswith(".py") else None


def _import(reference: str) -> ModuleType:
    folder = import_folder(reference)
    if folder is None:
        return importlib.import_module(reference)
    # As for a script: what stands beside the file can be imported by it.
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    path = folder / Path(reference).name
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        # The classes above the failing line are there, and are checked with the rest.
        error.partly_loaded = module  # type: ignore[attr-defined]
        raise
    return module


def _import_mistake(reference: str, error: Exception) -> Mistake:
    """Tell an exception of the import with the last line of the user's own code it went through."""
    if isinstance(error, SyntaxError) and error.filename:
        return Mistake(error.filename, error.lineno or 1, "the module", f"SyntaxError: {error.msg}")
    machinery = {str(file) for file in Path(__file__).parent.rglob("*.py")}
    machinery -= {str(file) for file in Path(__file__).parent.glob("catalogs/*.py")}
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not is_installed(frame.filename) and frame.filename not in machinery
    ]
    text = f"{type(error).__name__}: {error}"
    if not frames:
        return Mistake(reference, 1, "the module", f"can't be imported: {text}")
    subject = "the module" if frames[-1].name == "<module>" else frames[-1].name
    return Mistake(frames[-1].filename, frames[-1].lineno or 1, subject, text)


def _classes(module: ModuleType) -> Iterator[type[AbstractDerivation]]:
    """Yield the classes of the module and those that their variables come from."""
    waiting: list[type] = [value for value in vars(module).values() if isinstance(value, type)]
    seen: set[type] = {AbstractDerivation}
    while waiting:
        cls = waiting.pop(0)
        if cls in seen or not issubclass(cls, AbstractDerivation):
            continue
        seen.add(cls)
        yield cls
        for variable in _members(cls):
            parents = variable.parents if isinstance(variable, Var) else ()
            waiting += [p.owner for p in parents if isinstance(p, Variable) and p.owner]


def _members(cls: type[AbstractDerivation]) -> Iterator[FileVar | Var]:
    """Yield the variables that a class defines, also those that a later one replaced."""
    for value in [*(old for _, old in cls.replaced), *vars(cls).values()]:
        for variable in value if isinstance(value, Map) else [value]:
            if isinstance(variable, FileVar | Var) and variable.owner in (cls, None):
                yield variable


def _ordered(members: Iterable[FileVar | Var]) -> Iterator[FileVar | Var]:
    """Parents before children; variables can only refer to earlier ones, so there is no cycle."""
    done: set[int] = set()
    waiting = list(members)[::-1]
    while waiting:
        variable = waiting[-1]
        parents = variable.parents if isinstance(variable, Var) else ()
        missing = [p for p in parents if id(p) not in done]
        if missing:
            waiting += missing
            continue
        waiting.pop()
        if id(variable) not in done:
            done.add(id(variable))
            yield variable
