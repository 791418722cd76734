"""The operators: one function in one file, which carries the operator's name.

`deriv_ops.op` finds them here by that name, and imports a file only when it is asked for: a job
of one operator doesn't pay for the imports of the others.
"""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from pathlib import Path

from deriv_ops.errors import did_you_mean
from deriv_ops.loading import Unknown, is_loading
from deriv_ops.operators.declare import Operator

# The files of this folder that hold no operator.
_NOT_OPERATORS = {"__init__", "declare", "conventions"}


class OperatorNamespace:
    """The operators as attributes: ``op.zscore``; ``dir(op)`` lists them.

    A name that isn't an operator raises AttributeError, except while a catalog is loaded, when it
    is kept and told with the catalog's other mistakes.
    """

    @cached_property
    def _names(self) -> list[str]:
        files = Path(__file__).parent.glob("*.py")
        stems = (file.stem for file in files)
        return sorted(s for s in stems if s not in _NOT_OPERATORS and not s.startswith("_"))

    def __dir__(self) -> list[str]:
        return self._names

    def __getattr__(self, name: str) -> Operator | Unknown:
        if name in self._names:
            operator: Operator = getattr(import_module(f"{__name__}.{name}"), name)
            setattr(self, name, operator)
            return operator
        message = f"there is no operator {name!r}{did_you_mean(name, self._names)}"
        if is_loading() and not name.startswith("_"):
            return Unknown(message)
        raise AttributeError(message)


op = OperatorNamespace()
