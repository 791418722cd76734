"""The report: one HTML file with the run, the results and the graph of the catalog.

It needs nothing but itself: styles, scripts and data are inside of it, and it opens from disk.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deriv_ops.catalog import Catalog
from deriv_ops.config import Config
from deriv_ops.errors import DerivOpsError
from deriv_ops.report.data import report_data
from deriv_ops.runs import Run, last_jobs, latest_run
from deriv_ops.status import statuses
from deriv_ops.store import whole

# The page of a folder of results.
PAGE = "report.html"

_FOLDER = Path(__file__).parent
_SCRIPTS = (
    "vendor/cytoscape.min.js",
    *("model.js", "tables.js", "pictures.js", "timeline.js"),
    *("layout.js", "graph.js", "details.js", "page.js"),
)


def write_report(path: Path, catalog: Catalog, config: Config, run: Run | None) -> None:
    """Write the report of a run on a catalog and its results; without a run, of the results.

    The file appears whole or not at all; raises `OutputError` when it can't be written.
    """
    found = statuses(catalog, config, run)
    last = last_jobs(config.results_dir, set(found))
    data = report_data(catalog, config, found, run, last)
    with whole(path) as unfinished:
        unfinished.write_text(render(data))


def report_at_end(catalog: Catalog, config: Config, began: float) -> str:
    """Write the report when a run has ended, and say where it is, or why there is none.

    `began` is when the run did, a time of day; records of former ones don't count.
    """
    path = config.results_dir / PAGE
    try:
        run = latest_run(config.results_dir, since=began)
        write_report(path, catalog, config, run)
    except DerivOpsError as error:
        return f"No report of the run: {error}"
    except Exception as error:
        # The results are made, whatever is wrong with the page.
        return f"No report of the run: {type(error).__name__}: {error}"
    if run is None:
        return f"Report of the results, as no record of the run was kept: {path}"
    return f"Report of the run: {path}"


def render(data: Mapping[str, Any]) -> str:
    """Return the page for what `report_data` gives."""
    try:
        text = _as_json(data)
    except ValueError:
        text = _as_json(_finite(data))
    packed = base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()
    scripts = "\n".join(f"<script>\n{_read(name)}</script>" for name in _SCRIPTS)
    page = _read("page.html")
    for mark, content in (
        ("title", html.escape(data["catalog"])),
        ("style", f"<style>\n{_read('page.css')}</style>"),
        ("data", f'<script type="application/octet-stream" id="data">{packed}</script>'),
        ("scripts", scripts),
    ):
        page = page.replace(f"<!-- {mark} -->", content)
    return page


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _as_json(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    """Return values with the numbers for which JSON has no word as text: inf, nan."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
