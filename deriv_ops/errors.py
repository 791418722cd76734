"""The errors that a person is meant to read: what is wrong, where, and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches


class DerivOpsError(Exception):
    """Base of the errors caused by a catalog, a configuration or data, not by a bug."""


class OperatorError(DerivOpsError, ValueError):
    """An operator was given inputs or parameters it can't work on."""


class InputFileError(DerivOpsError, ValueError):
    """A table of the user's can't be read as dates x shares or as one row a share."""


class ConfigError(DerivOpsError, ValueError):
    """A key of the configuration has a value that can't be used."""


class DerivationError(DerivOpsError):
    """A derivation couldn't be computed; names it, and has the reason as its cause."""


class MemoryLimitError(DerivOpsError):
    """A derivation needs more memory than its rule may use."""


class OutputError(DerivOpsError, OSError):
    """A result couldn't be written; nothing of it is left behind."""


@dataclass(frozen=True)
class Mistake:
    """One thing to mend in a catalog, with the place where it stands."""

    file: str
    line: int
    subject: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.subject}: {self.message}"


class CatalogError(DerivOpsError):
    """All the mistakes of a catalog, found in one pass."""

    def __init__(self, reference: str, mistakes: Sequence[Mistake]) -> None:
        self.reference = reference
        self.mistakes = tuple(mistakes)
        count = "1 mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        lines = "\n".join(f"  {mistake}" for mistake in self.mistakes)
        super().__init__(f"{count} in the catalog {reference}:\n{lines}")


def did_you_mean(word: str, possible: Sequence[str]) -> str:
    """``"; did you mean 'window'?"`` when something close exists, else an empty string.

    >>> did_you_mean("windwo", ["window", "span"])
    "; did you mean 'window'?"
    >>> did_you_mean("zzz", ["window", "span"])
    ''
    """
    close = get_close_matches(word, possible, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
