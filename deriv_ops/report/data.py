"""What the page shows, as plain values: the catalog, the results, the run.

Lists of the same length stand side by side, one item for each derivation (or job); derivations
refer to one another, to operators, folders and maps by their places in those lists.
"""

from __future__ import annotations

import inspect
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deriv_ops.catalog import Catalog
from deriv_ops.config import Config
from deriv_ops.operators.declare import Operator
from deriv_ops.report.critical_path import critical_path
from deriv_ops.rules import input_paths, log_path, result_path
from deriv_ops.runs import Run
from deriv_ops.status import STATES, Status
from deriv_ops.variables import FileVar, Var

# Of the log of a failed job the end is shown, and so for the first of many failures.
LOG_CHARACTERS = 4000
LOGS = 50


# The columns that tell of a job; of what only the Dask executor knows some are None elsewhere.
MEASURES = ("cpu", "max_rss", "read", "written", "handed_over", "hits", "inputs")


def report_data(
    catalog: Catalog,
    config: Config,
    found: dict[str, Status],
    run: Run | None,
    last: Mapping[str, tuple[Mapping[str, Any], Path]],
) -> dict[str, Any]:
    """Return all that the page shows. Plain values, to be written as JSON.

    `last` are the last jobs that made the results, in this run or a former one.
    """
    places = {name: at for at, name in enumerate(catalog.variables)}
    data = {
        "catalog": catalog.reference,
        "made": time.time(),
        "results": str(config.results_dir),
        "states": STATES,
        # Of the result that was made last, as far as the order of the catalog tells.
        "versions": next(
            (s.provenance["versions"] for s in reversed(found.values()) if s.provenance), {}
        ),
        **_catalog(catalog, config, found, places),
        **_last(places, last),
    }
    data["nodes"]["state"] = [STATES.index(found[name].state) for name in catalog.variables]
    if run:
        data["run"] = _run(run, places)
        data["critical"] = _critical(catalog, config, run)
    return data


def _last(
    places: Mapping[str, int], last: Mapping[str, tuple[Mapping[str, Any], Path]]
) -> dict[str, Any]:
    """Return the last job of each result, as columns, and the records that tell of them."""
    records = _Table()
    keys = ("wall", "started", "host", "worker", "attempt", *MEASURES)
    columns: dict[str, list[Any]] = {
        key: [last[name][0].get(key) if name in last else None for name in places] for key in keys
    }
    columns["record"] = [records[str(last[name][1])] if name in last else None for name in places]
    return {"last": columns, "records": list(records)}


def _critical(catalog: Catalog, config: Config, run: Run) -> dict[str, Any]:
    """Return the chain of the run's jobs that bounds it, by their places, with what isn't of the
    catalog: who made a file is found by its name.
    """
    made_by = {file: job["rule"] for job in run.jobs for file in job.get("output", ())}
    others = {rule: list[str]() for rule in run.last if rule not in catalog.variables}
    parents = others | {
        str(v.name): [made_by[file] for file in input_paths(v, config) if file in made_by]
        for v in catalog
    }
    at = {job["rule"]: place for place, job in enumerate(run.jobs)}
    chain, total = critical_path(parents, {rule: job["wall"] for rule, job in run.last.items()})
    work = sum(job["wall"] for job in run.jobs)
    return {"jobs": [at[rule] for rule in chain], "seconds": total, "work": work}


def _catalog(
    catalog: Catalog, config: Config, found: Mapping[str, Status], places: Mapping[str, int]
) -> dict[str, Any]:
    folders, maps, operators = _Table(), _Table(), _Table()
    described: list[dict[str, str]] = []
    columns: dict[str, list[Any]] = {
        key: []
        for key in (
            *("name", "label", "folder", "map", "operator", "params", "parents", "file", "log"),
            *("place", "reasons", "summary"),
        )
    }
    for variable in catalog:
        status = found[str(variable.name)]
        operator = variable.operator if isinstance(variable, Var) else None
        if operator and operator.name not in operators:
            described.append(_operator(operator))
        reasons = [*status.reasons, *(f"follows {name}" for name in status.follows[:5])]
        row = {
            "name": variable.name,
            "label": variable.label,
            "folder": folders[variable.folder],
            "map": maps[variable.map_name] if variable.map_name else -1,
            "operator": operators[operator.name] if operator else -1,
            "params": _params(variable, status),
            "parents": [places[name] for name in _names_of_parents(variable)],
            "file": result_path(variable, config),
            "log": log_path(variable),
            "place": f"{_from_here(variable.place.file)}:{variable.place.line}",
            "reasons": reasons,
            "summary": status.summary,
        }
        for key, value in row.items():
            columns[key].append(value)
    return {"folders": list(folders), "maps": list(maps), "operators": described, "nodes": columns}


def _from_here(file: str) -> str:
    """Return a file as seen from the project's folder, where it is in there."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


class _Table(dict[str, int]):
    """Places of texts in a list that grows with each new one."""

    def __missing__(self, key: str) -> int:
        self[key] = len(self)
        return self[key]


def _names_of_parents(variable: FileVar | Var) -> list[str]:
    return [str(p.name) for p in variable.parents] if isinstance(variable, Var) else []


def _params(variable: FileVar | Var, status: Status) -> dict[str, Any]:
    if isinstance(variable, FileVar):
        return {"file": variable.filename}
    params: dict[str, Any] = status.derivation["params"]
    return params


def _operator(operator: Operator) -> dict[str, str]:
    parameters = inspect.signature(operator.function).parameters.values()
    shown = inspect.Signature([p.replace(annotation=p.empty) for p in parameters])
    return {
        "name": operator.name,
        "call": f"{operator.name}{shown}",
        "kind": operator.kind,
        "doc": inspect.getdoc(operator.function) or "",
    }


def _run(run: Run, places: Mapping[str, int]) -> dict[str, Any]:
    began = run.about["started"]
    workers = _Table()
    keys = ("rule", "attempt", "ok", "error", "group", *MEASURES)
    jobs: dict[str, list[Any]] = {key: [job.get(key) for job in run.jobs] for key in keys}
    jobs["node"] = [places.get(job["rule"], -1) for job in run.jobs]
    jobs["worker"] = [workers[f"{job['host']} {job.get('worker', '')}".strip()] for job in run.jobs]
    # Of a job whose worker was lost the start isn't known.
    jobs["start"] = [
        None if job["started"] is None else round(job["started"] - began, 4) for job in run.jobs
    ]
    jobs["wall"] = [round(job["wall"], 4) for job in run.jobs]
    failed = [at for at, job in enumerate(run.jobs) if not job["ok"]]
    return {
        "about": run.about,
        "command": shlex.join(["snakemake", *run.about["command"][1:]]),
        "outcome": run.outcome,
        "end": run.end,
        "record": str(run.path),
        "workers": list(workers),
        "jobs": jobs,
        "running": [
            {
                "rule": job["rule"],
                "node": places.get(job["rule"], -1),
                "host": job["host"],
                "start": round(job["started"] - began, 4),
            }
            for job in run.running
        ],
        "paths": {str(at): run.jobs[at]["log"][0] for at in failed if run.jobs[at].get("log")},
        "logs": {str(at): _log_end(run.jobs[at].get("log", [])) for at in failed[:LOGS]},
    }


def _log_end(logs: list[str]) -> str:
    try:
        text = Path(logs[0]).read_text(errors="replace") if logs else ""
    except OSError:
        return ""  # the page names it all the same
    return text[-LOG_CHARACTERS:]
