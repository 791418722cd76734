"""Whether results are up to date, and in words why not.

Told from the results themselves: each holds what it was made of, which is compared with what the
catalog says now. It takes a moment where a dry-run of Snakemake takes seconds, and what is out of
date here is what Snakemake would make again (with the rerun triggers of `profiles/default`), but
for inputs that are newer with the same content: Snakemake compares the checksums of small ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from deriv_ops.catalog import Catalog
from deriv_ops.config import Config
from deriv_ops.job import as_param
from deriv_ops.locations import Times, is_remote, location
from deriv_ops.rules import input_paths, result_path
from deriv_ops.runs import Run
from deriv_ops.store import read_summary
from deriv_ops.variables import FileVar, Var

STATES = ("up to date", "out of date", "not made", "failed")
# How many results are asked for at once in object storage.
_REQUESTS = 16
# How the keys of a derivation are called when they have changed.
_WORDS = {
    "operator": "its operator",
    "parents": "its list of parents",
    "precision": "the precision of its numbers",
    "file": "its input file",
    "reader": "its reader",
}


@dataclass(frozen=True)
class Status:
    """What is known of one result.

    Attributes
    ----------
    exists: whether its file is there and can be read.
    reasons: why it would be made again, in words; none when it is up to date.
    follows: the parents that would be made again before it.
    derivation: what it is made of now, as the catalog says (see `job.as_param`).
    provenance, summary: what it was made of and what it holds, as the file says.
    failure: what the last run recorded when it failed there; empty if it has been made since.

    """

    exists: bool
    derivation: Mapping[str, Any]
    reasons: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    failure: str = ""

    @property
    def state(self) -> str:
        """One of `STATES`."""
        if self.up_to_date:
            return "up to date"
        if self.failure:
            return "failed"
        return "out of date" if self.exists else "not made"

    @property
    def up_to_date(self) -> bool:
        """Whether a run would leave it as it is."""
        return not (self.reasons or self.follows)


def statuses(catalog: Catalog, config: Config, run: Run | None) -> dict[str, Status]:
    """Return the status of each variable by its name, parents before children.

    Failures are those of this run.
    """
    last = run.last if run else {}
    times, found = Times(), dict[str, Status]()
    read = partial(_read, times=times)
    paths = [location(result_path(variable, config)) for variable in catalog]
    # On a disk one after the other is fastest; answers of a storage are waited for side by side.
    with ThreadPoolExecutor(_REQUESTS) as pool:
        each = pool.map if is_remote(config.results_dir) else map
        for variable, result in zip(catalog, each(read, paths), strict=True):
            name = str(variable.name)
            status = _status(variable, config, result, times, found)
            if name in last and not last[name]["ok"] and not status.up_to_date:
                status = replace(status, failure=last[name]["error"] or "no message")
            found[name] = status
    return found


@dataclass(frozen=True)
class _Read:
    """What a result says of itself, or why it can't."""

    error: str = ""
    made: float = 0
    provenance: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)


def _read(path: Path, times: Times) -> _Read:
    try:
        return _Read("", times.of(path), *read_summary(path))
    except FileNotFoundError:
        return _Read("it has not been made yet")
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        return _Read(f"its file can't be read: {reason}")


def _status(
    variable: FileVar | Var,
    config: Config,
    read: _Read,
    times: Times,
    found: Mapping[str, Status],
) -> Status:
    parents = variable.parents if isinstance(variable, Var) else ()
    # In the order of the parents, each once.
    follows = tuple(
        dict.fromkeys(str(p.name) for p in parents if not found[str(p.name)].up_to_date)
    )
    now = as_param(variable, config.precision)
    if read.error:
        return Status(False, now, (read.error,), follows)
    reasons = [
        *_changes(read.provenance, now),
        *_newer_inputs(variable, config, read.made, times, set(follows)),
    ]
    return Status(True, now, tuple(reasons), follows, read.provenance, read.summary)


def _changes(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is said of a derivation now and was not when it was made."""
    for key, value in now.items():
        before = was.get(key)
        if before == value:
            continue
        if key == "params" and isinstance(before, dict) and was.get("operator") == now["operator"]:
            for name in dict.fromkeys([*before, *value]):
                if before.get(name) != value.get(name):
                    yield f"{name} is {value.get(name)!r}, and was {before.get(name)!r}"
        elif key == "code":
            kind, name = ("operator", "operator") if "operator" in now else ("reader", "reader")
            if was.get(name) == now[name]:
                yield f"the code of the {kind} {_short(now[name])} has changed"
        elif key in _WORDS:
            yield f"{_WORDS[key]} is {_short(value)}, and was {_short(before)}"


def _newer_inputs(
    variable: FileVar | Var, config: Config, made: float, times: Times, follows: set[str]
) -> Iterator[str]:
    """Yield which inputs were written after the result; those to be made again are told already."""
    for path in map(location, input_paths(variable, config)):
        if path.stem in follows and isinstance(variable, Var):
            continue
        try:
            newer = times.of(path) > made
        except FileNotFoundError:
            yield f"its input {path} is not there"
            continue
        if newer:
            yield f"its input {path} is newer"


def _short(value: Any) -> str:
    """Say a reference by the name of the function, a list by its items."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).rpartition(":")[2]
