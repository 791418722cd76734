"""The chain of derivations that bounds how fast a run can be, on however many workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def critical_path(
    parents: Mapping[str, Sequence[str]], seconds: Mapping[str, float]
) -> tuple[list[str], float]:
    """Return the chain that takes longest, first to last, and its seconds.

    `parents` names those of each derivation, parents before children; what has no `seconds` was
    not run, and takes none.

    >>> critical_path({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}, {"a": 1, "b": 5, "c": 2})
    (['a', 'b'], 6.0)

    """
    until: dict[str, float] = {}
    before: dict[str, str | None] = {}
    for name, names in parents.items():
        slowest = max(names, key=lambda parent: until[parent], default=None)
        before[name] = slowest
        until[name] = seconds.get(name, 0.0) + (until[slowest] if slowest else 0.0)
    at = max(until, key=lambda name: until[name], default=None)
    total = until[at] if at else 0.0
    chain = []
    while at:
        chain.append(at)
        at = before[at]
    return [name for name in reversed(chain) if name in seconds], float(total)
