"""The state of loading a catalog: what is unknown is then kept, to be told with all the rest.

Outside of it a misspelt operator or variable raises at once, as any attribute of Python does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

_loading: ContextVar[bool] = ContextVar("loading", default=False)


@dataclass(frozen=True)
class Unknown:
    """Stands for an operator or a variable that doesn't exist, with what to say of it."""

    message: str

    def __getitem__(self, key: Any) -> Unknown:
        return self


def is_loading() -> bool:
    """Whether a catalog is being loaded, so that mistakes are collected."""
    return _loading.get()


@contextmanager
def collecting_mistakes() -> Iterator[None]:
    """Within it, unknown names become `Unknown` objects in place of an AttributeError."""
    token = _loading.set(True)
    try:
        yield
    finally:
        _loading.reset(token)
