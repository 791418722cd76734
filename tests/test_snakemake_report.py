"""Snakemake's own report and graph of a catalog, by the real Snakemake."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from conftest import copy_checkout, run

from deriv_ops import load_catalog


@pytest.mark.slow
def test_the_graph_and_the_report_are_made(project: Path):
    assert "fin_pricedevz1d_byvol" in run(project, "--dag", "--forceall").stdout
    run(project, "overview")
    assert run(project, "overview", "--dry-run").stdout.count("Nothing to be done")
    pages = {path.name: path.read_text() for path in (project / "overview").iterdir()}
    assert set(pages) == {"basic.html", "temporary.html"}
    (row,) = re.findall(r"<tr>\s*<td>fin_pricez1d</td>.*?</tr>", pages["temporary.html"], re.DOTALL)
    assert "zscore(all_prices, " in row
    run(project, "overview", "--report", "report.zip")
    with zipfile.ZipFile(project / "report.zip") as report:
        names = [Path(name).name for name in report.namelist()]
        (page,) = (name for name in report.namelist() if name.endswith("report.html"))
        text = report.read(page).decode()
    assert set(pages) <= set(names)
    assert "Results by folder" in text and "the share of all" in text


@pytest.mark.slow
def test_the_report_of_a_large_catalog_has_a_page_for_each_folder(tmp_path: Path):
    folder = copy_checkout(tmp_path / "project")
    size = ["sample_dates=40", "sample_shares=6"]
    config = ["--config", "catalog=deriv_ops.catalogs.medium", *size]
    run(folder, "--profile", "profiles/local", "overview", *config, timeout=600)
    run(folder, "overview", *config, "--report", "report.zip", timeout=600)
    with zipfile.ZipFile(folder / "report.zip") as report:
        pages = {Path(n).name: report.read(n).decode() for n in report.namelist() if "data/" in n}
        (page,) = (name for name in report.namelist() if name.endswith("report.html"))
        text = report.read(page).decode()
    catalog = load_catalog("deriv_ops.catalogs.medium")
    counts = Counter(variable.folder.strip("/") for variable in catalog)
    for name, count in counts.items():
        # The page, and what Snakemake's own list says of it: category and labels.
        assert pages[f"{name}.html"].count("<tr>") >= count
        assert re.search(rf'"folder": "{name}",\s*"derivations": "{count}"', text)
    (listed,) = re.findall(r'"Results by folder": \{"[^"]*": \[([^]]*)\]', text)
    assert len(listed.split(", ")) == len(counts)
