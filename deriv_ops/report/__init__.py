"""The report: one HTML file with the run, the results and the graph of the catalog.

It needs nothing but itself: styles, scripts and data are inside of it, and it opens from disk.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deriv_ops.catalog import Catalog
from deriv_ops.config import Config
from deriv_ops.errors import DerivOpsError
from deriv_ops.report.data import report_data
from deriv_ops.runs import Run, latest_run
from deriv_ops.status import statuses
from deriv_ops.store import whole

# The page of a folder of results.
PAGE = "report.html"

_FOLDER = Path(__file__).parent
_SCRIPTS = (
    *("vendor/cytoscape.min.js", "vendor/dagre.min.js"),
    *("model.js", "tables.js", "pictures.js", "timeline.js"),
    *("layout.js", "graph.js", "details.js", "page.js"),
)


def write_report(path: Path, catalog: Catalog, config: Config, run: Run | None) -> None:
    """Write the report of a run on a catalog and its results; without a run, of the results.

    The file appears whole or not at all; raises `OutputError` when it can't be written.
    """
    data = report_data(catalog, config, statuses(catalog, config, run), run)
    with whole(path) as unfinished:
        unfinished.write_text(render(data))


def report_at_end(catalog: Catalog, config: Config) -> str:
    """Write the report when a run has ended, and say where it is, or why there is none."""
    path = config.results_dir / PAGE
    try:
        write_report(path, catalog, config, latest_run(config.results_dir))
    except DerivOpsError as error:
        return f"No report of the run: {error}"
    return f"Report of the run: {path}"


def render(data: Mapping[str, Any]) -> str:
    """Return the page for what `report_data` gives."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
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
