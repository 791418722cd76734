"""Digests of code: what tells that a derivation must be computed again.

The digest of a function covers its own source and that of all it uses of the project's code:
functions, classes and constants, wherever they stand. Comments, docstrings and layout don't count
(the source is parsed and written out again), nor do other things in the same file. Installed
libraries don't count either; their versions are in each result's provenance.
"""

from __future__ import annotations

import ast
import hashlib
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
    pieces: dict[str, str] = {}
    for function in functions:
        _collect(function, pieces)
    text = "\n".join(f"{name}\n{pieces[name]}" for name in sorted(pieces))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _collect(thing: Any, pieces: dict[str, str], name: str = "") -> None:
    """Add the source of one thing, then what its source refers to."""
    thing = _unwrapped(thing)
    if isinstance(thing, partial):
        for part in (thing.func, *thing.args, *thing.keywords.values()):
            _collect(part, pieces, name)
        return
    if isinstance(thing, ModuleType):
        return
    if not isinstance(thing, FunctionType | type):
        pieces[name] = _constant(thing)
        for position, held in enumerate(_functions_in(thing)):
            _collect(held, pieces, f"{name}[{position}]")
        return
    if not _is_ours(thing.__module__):
        return
    key = f"{thing.__module__}.{thing.__qualname__}"
    if key in pieces:
        return
    tree = _parsed(thing)
    if tree is None:
        # Made at run time, with no source: its compiled form has to do.
        code = getattr(thing, "__code__", None)
        pieces[key] = f"{code.co_code!r} {code.co_consts!r}" if code else repr(thing)
        return
    pieces[key] = ast.unparse(tree)
    for used_name, used in _references(thing, tree):
        _collect(used, pieces, f"{key}.{used_name}")


def _unwrapped(thing: Any) -> Any:
    """Return the plain function below an operator, a compiled function or a decorator."""
    for attribute in ("function", "py_func", "__wrapped__", "__func__"):
        if isinstance(thing, type) or (not callable(thing) and not hasattr(thing, "__func__")):
            return thing
        inner = getattr(thing, attribute, None)
        if inner is not None and (attribute != "function" or isinstance(thing, Operator)):
            return _unwrapped(inner)
    return thing


def _is_ours(module: str | None) -> bool:
    """Whether a module is of the project or its user, not of Python or an installed library."""
    top = (module or "").partition(".")[0]
    if top in ("deriv_ops", "__main__"):
        return True
    file = getattr(sys.modules.get(module or ""), "__file__", None)
    return file is not None and not is_installed(file)


def _parsed(thing: FunctionType | type) -> ast.AST | None:
    try:
        source = textwrap.dedent(inspect.getsource(thing))
        tree = ast.parse(source)
    except (OSError, TypeError, SyntaxError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            if ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:] or [ast.Pass()]
            # The declaration of an operator says nothing of what it computes.
            node.decorator_list = [d for d in node.decorator_list if not _is_declaration(d)]
    return tree


def _is_declaration(decorator: ast.expr) -> bool:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
    return name == "operator"


def _references(thing: FunctionType | type, tree: ast.AST) -> Iterator[tuple[str, Any]]:
    """Yield what the names in the source stand for, as far as they are not local."""
    if isinstance(thing, FunctionType):
        scope = {**thing.__globals__, **_closure(thing)}
        free = set(_free_names(thing.__code__))
    else:
        scope = vars(sys.modules[thing.__module__])
        free = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        yield from ((base.__name__, base) for base in thing.__bases__)
    for node in ast.walk(tree):
        chain: list[str] = []
        while isinstance(node, ast.Attribute):
            chain.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in free or node.id not in scope:
            continue
        name, value = node.id, scope[node.id]
        while chain and isinstance(value, ModuleType | OperatorNamespace):
            name = f"{name}.{chain[0]}"
            value = getattr(value, chain.pop(0), None)
        yield name, value


def _free_names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    yield from code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _free_names(constant)


def _closure(function: FunctionType) -> dict[str, Any]:
    closure = inspect.getclosurevars(function)
    return dict(closure.nonlocals)


def _constant(value: Any) -> str:
    """Spell a value so that every process spells it the same."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    if isinstance(value, dict):
        return f"dict({', '.join(f'{_constant(k)}: {_constant(v)}' for k, v in value.items())})"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({', '.join(map(_constant, value))})"
    if isinstance(value, set | frozenset):
        return f"set({', '.join(sorted(map(_constant, value)))})"
    # What has no spelling of its own shows its address, which no other process has.
    text = repr(value)
    return type(value).__qualname__ if " at 0x" in text else text


def _functions_in(container: Any) -> Iterator[Any]:
    """Yield the functions and classes that a constant holds, such as a table of them."""
    if isinstance(container, dict):
        container = [*container, *container.values()]
    if isinstance(container, list | tuple | set | frozenset):
        for item in container:
            if isinstance(item, FunctionType | type):
                yield item
            else:
                yield from _functions_in(item)
