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
from deriv_ops.rules import log_path, result_path
from deriv_ops.runs import Run
from deriv_ops.status import STATES, Status
from deriv_ops.variables import FileVar, Var

# Of the log of a failed job the end is shown, and so for the first of many failures.
LOG_CHARACTERS = 4000
LOGS = 50


def report_data(
    catalog: Catalog, config: Config, found: dict[str, Status], run: Run | None
) -> dict[str, Any]:
    """Return all that the page shows. Plain values, to be written as JSON."""
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
    }
    data["nodes"]["state"] = [STATES.index(found[name].state) for name in catalog.variables]
    if run:
        data["run"] = _run(run, places)
        seconds = {name: job["wall"] for name, job in run.last.items() if name in places}
        chain, total = critical_path(_parents(catalog), seconds)
        data["critical"] = {"nodes": [places[name] for name in chain], "seconds": total}
    return data


def _parents(catalog: Catalog) -> dict[str, list[str]]:
    return {
        str(v.name): [str(p.name) for p in v.parents] if isinstance(v, Var) else [] for v in catalog
    }


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
            "place": f"{Path(variable.place.file).name}:{variable.place.line}",
            "reasons": reasons,
            "summary": status.summary,
        }
        for key, value in row.items():
            columns[key].append(value)
    return {"folders": list(folders), "maps": list(maps), "operators": described, "nodes": columns}


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
    keys = ("attempt", "ok", "error", "cpu", "max_rss", "read", "written", "handed_over")
    jobs: dict[str, list[Any]] = {key: [job[key] for job in run.jobs] for key in keys}
    jobs["rule"] = [job["rule"] for job in run.jobs]
    jobs["node"] = [places.get(job["rule"], -1) for job in run.jobs]
    jobs["worker"] = [workers[f"{job['host']} {job['worker']}".strip()] for job in run.jobs]
    # Of a job whose worker was lost the start isn't known.
    jobs["start"] = [
        None if job["started"] is None else round(job["started"] - began, 4) for job in run.jobs
    ]
    jobs["wall"] = [round(job["wall"], 4) for job in run.jobs]
    failed = [at for at, job in enumerate(run.jobs) if not job["ok"]]
    return {
        "about": run.about,
        "command": shlex.join(["snakemake", *run.about["command"][1:]]),
        "end": run.end,
        "record": str(run.path),
        "workers": list(workers),
        "jobs": jobs,
        "logs": {str(at): _log_end(run.jobs[at]["log"]) for at in failed[:LOGS]},
    }


def _log_end(logs: list[str]) -> str:
    try:
        text = Path(logs[0]).read_text(errors="replace") if logs else ""
    except OSError:
        return ""  # the page names it all the same
    return text[-LOG_CHARACTERS:]
