"""What the results hold, as one small table for each folder: the pages of Snakemake's report.

That report carries what it shows, and results of thousands of dates and shares would make it one of
gigabytes. What each holds is told by a summary that is kept with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd

from deriv_ops.catalog import Catalog
from deriv_ops.config import Config
from deriv_ops.store import read_summary, whole

# The pages are on the machine where Snakemake runs, wherever the results are.
PAGES = Path("overview")
_STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; margin: 16px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 3px 14px 3px 0; border-bottom: 1px solid #ddd; }
th { position: sticky; top: 0; background: #fff; }
"""


def overview_pages(catalog: Catalog, config: Config) -> dict[str, int]:
    """Return the page of each folder of results, and of how many results it tells.

    Results are those that a run without targets makes.
    """
    pages: dict[str, int] = {}
    for variable in catalog.select(config.vars_to_launch):
        page = str(PAGES / f"{variable.folder.strip('/') or 'results'}.html")
        pages[page] = pages.get(page, 0) + 1
    return pages


def write_overview(results: list[str], results_dir: str, pages: Iterable[str]) -> None:
    """Write the page of each folder of results, from the summaries in the results' files.

    Each page appears whole or not at all. Raises `InputFileError` for a file that isn't a result.
    """
    tables: dict[str, list[dict[str, Any]]] = {page: [] for page in pages}
    # Object storage is asked for many at once.
    with ThreadPoolExecutor(16) as pool:
        rows = list(pool.map(_row, results))
    for result, row in zip(results, rows, strict=True):
        folder = result.removeprefix(results_dir).rpartition("/")[0].strip("/")
        tables[str(PAGES / f"{folder or 'results'}.html")].append(row)
    for page, told in tables.items():
        table = pd.DataFrame(told).to_html(index=False, border=0, justify="left", na_rep="")
        with whole(Path(page)) as unfinished:
            unfinished.write_text(f"<!doctype html><style>{_STYLE}</style>{table}")


def _row(result: str) -> dict[str, Any]:
    made_of, holds = read_summary(result)
    made_by = made_of.get("file")
    if made_by is None:
        parents = [_last(parent, ".") for parent in made_of["parents"]]
        params = [f"{key}={json.dumps(value)}" for key, value in made_of["params"].items()]
        made_by = f"{_last(made_of['operator'], ':')}({', '.join([*parents, *params])})"
    return {
        "derivation": _last(made_of["derivation"], "."),
        "made by": made_by,
        "rows": holds["rows"],
        "columns": holds["columns"],
        "first": holds.get("first"),
        "last": holds.get("last"),
        "missing": f"{holds['missing']:.1%}",
        "1st percentile": holds.get("low"),
        "99th percentile": holds.get("high"),
    }


def _last(name: str, separator: str) -> str:
    return name.rpartition(separator)[2]
