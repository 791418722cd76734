"""Naming a function as ``module:name``, so that another process can import it."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable
from functools import cache, reduce
from importlib import import_module
from pathlib import Path
from typing import Any


class ReferenceProblem(ValueError):
    """A function that no other process could import."""


def reference(function: Callable[..., Any]) -> str:
    """Return ``module:name`` of a function that stands at the top of a module.

    >>> reference(reference)
    'deriv_ops.references:reference'
    """
    module = getattr(function, "__module__", None) or ""
    name = getattr(function, "__qualname__", "")
    # The name may hold the operator made of the function.
    held = getattr(sys.modules.get(module), name, None)
    if "<" in name or held is None or function not in (held, getattr(held, "function", None)):
        raise ReferenceProblem(
            f"{name or function!r} must be a function at the top of a module that can be imported"
        )
    return f"{module}:{name}"


def resolve(text: str) -> Any:
    """Import what `reference` has named."""
    module, _, name = text.partition(":")
    return reduce(getattr, name.split("."), import_module(module))


@cache
def is_installed(file: str) -> bool:
    """Whether a source file is of Python or of an installed library, not of somebody's project."""
    folders = {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}
    return file.startswith("<") or any(Path(file).is_relative_to(folder) for folder in folders)
