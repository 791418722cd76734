"""Whether results are up to date, and in words why not.

Told from the results themselves: each holds what it was made of, which is compared with what the
catalog says now. It takes a moment where a dry-run of Snakemake takes seconds, and what is out of
date here is what Snakemake would make again (with the rerun triggers of `profiles/default`): what
is newer is compared by content where Snakemake does so, in files up to 1 MB, and what is missing
isn't needed by results that are up to date.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from deriv_ops.catalog import Catalog
from deriv_ops.config import Config
from deriv_ops.job import as_param, content_digest, result_digest
from deriv_ops.lineage import Variable, made_of, parents_of
from deriv_ops.locations import Times, is_remote, location
from deriv_ops.rules import input_paths, result_path
from deriv_ops.runs import Run
from deriv_ops.store import read_summary
from deriv_ops.variables import FileVar, Var

STATES = ("up to date", "out of date", "not made", "failed", "running")
# Snakemake compares the content of inputs that are newer up to this size (its option
# --max-checksum-file-size), and not in object storage.
CHECKSUM_BYTES = 1_000_000
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
    running: whether a run that goes on is making it.

    """

    exists: bool
    derivation: Mapping[str, Any]
    reasons: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    failure: str = ""
    running: bool = False

    @property
    def state(self) -> str:
        """One of `STATES`."""
        if self.running:
            return "running"
        if self.up_to_date:
            return "up to date"
        if self.failure:
            return "failed"
        return "out of date" if self.exists else "not made"

    @property
    def up_to_date(self) -> bool:
        """Whether a run would leave it as it is."""
        return not (self.reasons or self.follows)


def statuses(
    catalog: Catalog, config: Config, run: Run | None, wanted: Iterable[str] | None = None
) -> dict[str, Status]:
    """Return the status of each variable by its name, parents before children.

    It is as a run would find it that is told to make those `wanted`, by default all: of these and
    of what they are made of. Failures, and what is running, are those of `run`.
    """
    wanted = None if wanted is None else set(wanted)
    scope = set(catalog) if wanted is None else made_of(catalog[name] for name in wanted)
    variables = [variable for variable in catalog if variable in scope]
    return _Found(config, variables, run).statuses(wanted)


class _Found:
    """What the results of some variables say, and what follows from that.

    A run decides as Snakemake does: first what is to be made for reasons of its own, then what
    follows that, and what is missing for it.
    """

    def __init__(self, config: Config, variables: list[Variable], run: Run | None) -> None:
        self.config = config
        self.run = run
        self.times = Times()
        self.variables = {str(variable.name): variable for variable in variables}
        self.parents = {
            name: list(dict.fromkeys(str(parent.name) for parent in parents_of(variable)))
            for name, variable in self.variables.items()
        }
        self.children: dict[str, list[str]] = {name: [] for name in self.variables}
        for name, parents in self.parents.items():
            for parent in parents:
                self.children[parent].append(name)
        self.now = {
            name: as_param(variable, config.precision) for name, variable in self.variables.items()
        }
        read = partial(_read, times=self.times)
        paths = [location(result_path(variable, config)) for variable in variables]
        # On a disk one after the other is fastest; answers of a storage are waited for side by
        # side.
        with ThreadPoolExecutor(_REQUESTS) as pool:
            each = pool.map if is_remote(config.results_dir) else map
            self.read = dict(zip(self.variables, each(read, paths), strict=True))
        # Of what is missing: when the first of what is made of it was.
        self.made = {name: read.made for name, read in self.read.items()}
        for name in reversed(self.variables):
            if not self.made[name]:
                times = [self.made[child] for child in self.children[name] if self.made[child]]
                self.made[name] = min(times, default=0.0)
        # What a result's digest is, or would be if it were made now.
        self.digests: dict[str, str | None] = {}
        for name, result in self.read.items():
            self.digests[name] = result.digest or self._expected(name)

    def statuses(self, wanted: set[str] | None) -> dict[str, Status]:
        """Return the status of each variable."""
        reasons = {
            name: self._reasons(name, is_wanted=wanted is None or name in wanted)
            for name in self.variables
        }
        needed = {name: None for name, told in reasons.items() if told}
        waiting = list(needed)
        for name in waiting:  # which grows
            for parent in self.parents[name]:
                if self.read[parent].is_missing and parent not in needed:
                    reasons[parent] = ((self.read[parent].error, None),)
                    needed[parent] = None
                    waiting.append(parent)
            for child in self.children[name]:
                if child not in needed:
                    needed[child] = None
                    waiting.append(child)
        last = self.run.last if self.run else {}
        running = {job["rule"] for job in self.run.running} if self.run else set()
        found = {}
        for name, read in self.read.items():
            job = last.get(name)
            failed = job and name in needed and not job["ok"] and not job.get("removed")
            found[name] = Status(
                exists=not read.error,
                derivation=self.now[name],
                # Of inputs that are to be made again, it says more that they are.
                reasons=tuple(told for told, parent in reasons[name] if parent not in needed),
                follows=tuple(parent for parent in self.parents[name] if parent in needed),
                provenance=read.provenance,
                summary=read.summary,
                failure=(job["error"] or "no message") if job and failed else "",
                running=name in running,
            )
        return found

    def _reasons(self, name: str, is_wanted: bool) -> tuple[tuple[str, str | None], ...]:
        """Return why a result is to be made, in words, and because of which parent if of one.

        That a parent is to be made itself isn't among these.
        """
        read = self.read[name]
        if read.is_missing and not is_wanted:
            changes = self._changes_since(name)
        elif read.error:
            return ((read.error, None),)
        else:
            changes = _changes(read.provenance, self.now[name])
        return (*((change, None) for change in changes), *self._newer_inputs(name))

    def _changes_since(self, name: str) -> Iterator[str]:
        """Yield what has been made of a missing result, and would be made of another one now."""
        for child in self.children[name]:
            recorded = self.read[child].inputs.get(self.variables[name].label)
            if recorded and self.digests[name] and recorded != self.digests[name]:
                yield f"it has changed since {child} was made of it"

    def _newer_inputs(self, name: str) -> Iterator[tuple[str, str | None]]:
        """Yield which inputs were written after the result, and aren't what they were then."""
        variable = self.variables[name]
        recorded = self.read[name].inputs
        for path in map(location, input_paths(variable, self.config)):
            parent = path.stem if isinstance(variable, Var) else None
            try:
                newer = self.times.of(path) > self.made[name] > 0
            except FileNotFoundError:
                if parent is None:
                    yield f"its input {path} is not there", None
                continue  # a result that is missing is told of itself
            if not newer:
                continue
            if not is_remote(path) and path.stat().st_size <= CHECKSUM_BYTES:
                if parent is None:
                    content: str | None = content_digest(path)
                    label = variable.filename if isinstance(variable, FileVar) else ""
                else:
                    content, label = self.digests[parent], self.variables[parent].label
                # Of a missing result it is known from what was made of it.
                if content and recorded.get(label, content) == content:
                    continue
            yield f"its input {path} is newer", parent

    def _expected(self, name: str) -> str | None:
        variable = self.variables[name]
        if not isinstance(variable, Var):
            return None
        inputs = [self.digests[str(parent.name)] for parent in variable.parents]
        if not all(inputs):
            return None
        return result_digest(self.now[name], [str(digest) for digest in inputs])


@dataclass(frozen=True)
class _Read:
    """What a result says of itself, or why it can't."""

    error: str = ""
    is_missing: bool = False
    made: float = 0
    provenance: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str | None:
        """Its own digest."""
        return self.provenance["digests"]["result"] if self.provenance else None

    @property
    def inputs(self) -> Mapping[str, str]:
        """The digests of what it was made of."""
        return self.provenance["digests"]["inputs"] if self.provenance else {}


def _read(path: Path, times: Times) -> _Read:
    try:
        return _Read("", False, times.of(path), *read_summary(path))
    except FileNotFoundError:
        return _Read("it has not been made yet", is_missing=True)
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        return _Read(f"its file can't be read: {reason}")


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


def _short(value: Any) -> str:
    """Say a reference by the name of the function, a list by its items."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).rpartition(":")[2]
