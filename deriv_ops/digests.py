"""Digests of code: what tells that a derivation must be computed again.

The digest of a function covers its own source and that of all it uses of the project's code:
functions, classes, decorators and constants, wherever they stand. Comments, docstrings and layout
don't count (the source is parsed and written out again), nor do other things in the same file.
Installed libraries don't count either; their versions are in each result's provenance.

What is looked up by a name that is only known at run time can't be followed.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import cache, partial
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from deriv_ops.operators import OperatorNamespace
from deriv_ops.operators.declare import Operator
from deriv_ops.references import is_installed


@cache
def code_digest(*functions: Callable[..., Any]) -> str:
    """Return a digest of the functions and of all the project's code that they use."""
    collected = _Collected()
    for function in functions:
        collected.add(function)
    return hashlib.sha256("\n".join(collected.pieces).encode()).hexdigest()[:16]


class _Collected:
    """The sources of what was added and of what that uses, each once, in the order of use."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        # Kept alive, so that no other object can take the place of one in memory.
        self.seen: dict[int, Any] = {}

    def add(self, thing: Any) -> None:
        if isinstance(thing, Operator) and thing.takes_infinite:
            self.pieces.append("takes infinite values")
        thing = _unwrapped(thing)
        if isinstance(thing, ModuleType) or id(thing) in self.seen:
            return
        if isinstance(thing, FunctionType | type):
            if _is_ours(thing.__module__):
                self.seen[id(thing)] = thing
                self._add_code(thing)
        else:
            self.seen[id(thing)] = thing
            self._add_value(thing)

    def _add_code(self, thing: FunctionType | type) -> None:
        text, used = _read(thing)
        self.pieces.append(text)
        for other in used:
            self.add(other)

    def _add_value(self, value: Any) -> None:
        if isinstance(value, np.ndarray):
            content = hashlib.sha256(value.tobytes()).hexdigest()
            self.pieces.append(f"{value.dtype} {value.shape} {content}")
        elif isinstance(value, partial):
            self._add_items("partial", [value.func, *value.args, value.keywords])
        elif isinstance(value, dict):
            self._add_items("dict", [part for item in value.items() for part in item])
        elif isinstance(value, list | tuple):
            self._add_items(type(value).__name__, value)
        elif isinstance(value, set | frozenset):
            self._add_items("set", sorted(value, key=repr))
        elif _is_ours(type(value).__module__):
            self.add(type(value))
            self._add_items(type(value).__qualname__, [vars(value)] if _has_dict(value) else [])
        else:
            # What has no spelling of its own shows its address, which no other process has.
            text = repr(value)
            self.pieces.append(type(value).__qualname__ if " at 0x" in text else text)

    def _add_items(self, kind: str, items: Any) -> None:
        self.pieces.append(f"{kind} {len(items)}")
        for item in items:
            if isinstance(item, bool | int | float | complex | str | bytes | None):
                self.pieces.append(repr(item))
            else:
                self.add(item)


def _unwrapped(thing: Any) -> Any:
    """Return the plain function below an operator, a compiled function or a decorator."""
    if isinstance(thing, type) or not callable(thing):
        return thing
    if isinstance(thing, Operator):
        return _unwrapped(thing.function)
    for attribute in ("py_func", "__wrapped__", "__func__"):
        inner = getattr(thing, attribute, None)
        if inner is not None:
            return _unwrapped(inner)
    return thing


def _has_dict(value: Any) -> bool:
    return hasattr(value, "__dict__")


def _is_ours(module: str | None) -> bool:
    """Whether a module is of the project or its user, not of Python or an installed library."""
    if (module or "").partition(".")[0] in ("deriv_ops", "__main__"):
        return True
    file = getattr(sys.modules.get(module or ""), "__file__", None)
    return file is not None and not is_installed(file)


@cache
def _read(thing: FunctionType | type) -> tuple[str, list[Any]]:
    """Return what is written of a function or class, and what that uses."""
    tree = _parsed(thing)
    if tree is None:
        # Made at run time, with no source: its compiled form has to do.
        code = getattr(thing, "__code__", None)
        return _compiled(code) if code else thing.__qualname__, []
    return ast.unparse(tree), [*_references(thing, tree)]


def _parsed(thing: FunctionType | type) -> ast.AST | None:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError, SyntaxError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            if ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:] or [ast.Pass()]
            # How an operator is declared or compiled says nothing of what it computes, but for
            # what it is given, which is told beside this.
            node.decorator_list = [d for d in node.decorator_list if not _is_declaration(d)]
    return tree


def _is_declaration(decorator: ast.expr) -> bool:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
    return name in ("operator", "kernel", "part")


def _compiled(code: CodeType) -> str:
    constants = [_compiled(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {constants}"


def _references(thing: FunctionType | type, tree: ast.AST) -> Iterator[Any]:
    """Yield what the names in the source stand for, as far as they are not local."""
    if isinstance(thing, FunctionType):
        scope = {**thing.__globals__, **inspect.getclosurevars(thing).nonlocals}
        # Decorators and defaults are of the scope around the function, not of its code.
        free = {*_free_names(thing.__code__), *_names_in(_definitions(tree))}
    else:
        scope = dict(vars(sys.modules[thing.__module__]))
        free = set(_names_in([tree]))
        yield from thing.__bases__
    imported = dict(_imports(tree, scope.get("__package__") or ""))
    scope |= imported
    free |= set(imported)
    for node in ast.walk(tree):
        chain: list[str] = []
        while isinstance(node, ast.Attribute):
            chain.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in free or node.id not in scope:
            continue
        value = scope[node.id]
        while chain and isinstance(value, ModuleType | OperatorNamespace):
            value = getattr(value, chain.pop(0), None)
        yield value


def _free_names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    yield from code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _free_names(constant)


def _definitions(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the decorators and the defaults of the functions in a source."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from getattr(node, "decorator_list", ())
            yield from node.args.defaults
            yield from (default for default in node.args.kw_defaults if default)


def _names_in(trees: Any) -> Iterator[str]:
    for tree in trees:
        yield from (node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def _imports(tree: ast.AST, package: str) -> Iterator[tuple[str, Any]]:
    """Yield what a function imports for itself, where that is the project's."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _imported(alias.asname or alias.name.partition(".")[0], alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            for alias in node.names:
                yield from _imported(alias.asname or alias.name, module, alias.name)


def _imported(name: str, module: str, attribute: str | None = None) -> Iterator[tuple[str, Any]]:
    top = module.partition(".")[0]
    spec = importlib.util.find_spec(top)
    installed = spec is None or spec.origin is None or is_installed(spec.origin)
    if installed and top != "deriv_ops":
        return
    value = importlib.import_module(module)
    if attribute is None:
        yield name, value if name != top else sys.modules[top]
    else:
        yield (
            name,
            getattr(value, attribute, None) or importlib.import_module(f"{module}.{attribute}"),
        )
