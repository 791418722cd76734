"""What the report is made of, and that it is one file that needs no other."""

from __future__ import annotations

import base64
import gzip
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from conftest import run, run_cli

from deriv_ops.errors import InputFileError
from deriv_ops.report.critical_path import critical_path
from deriv_ops.runs import latest_run, read_run


def data_of(page: Path) -> dict[str, Any]:
    (packed,) = re.findall(r'id="data">([^<]*)</script>', page.read_text())
    data: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(packed)))
    return data


def states(data: dict[str, Any]) -> dict[str, str]:
    nodes = data["nodes"]
    return {n: data["states"][s] for n, s in zip(nodes["name"], nodes["state"], strict=True)}


@pytest.fixture(scope="session")
def page(finished: Path) -> Path:
    return finished / run_cli(finished, "report").strip()


def test_the_page_holds_the_catalog_the_results_and_the_run(page: Path):
    data = data_of(page)
    nodes, jobs = data["nodes"], data["run"]["jobs"]
    assert set(states(data).values()) == {"up to date"}
    at = nodes["name"].index("fin_pricedevz1d_byvol")
    assert [nodes["name"][p] for p in nodes["parents"][at]] == ["fin_pricez1d", "clustervol"]
    assert data["operators"][nodes["operator"][at]]["name"] == "calc_dev_by"
    assert nodes["params"][at] == {"do_reduce": False, "time_varying": True, "by": None}
    assert nodes["summary"][at]["rows"] == 300 and nodes["summary"][at]["quantiles"]
    assert sorted(jobs["rule"]) == sorted(["sample_market", *nodes["name"]])
    assert all(jobs["ok"]) and data["run"]["end"]["ok"]
    assert data["versions"]["pandas"]


def test_the_critical_path_is_a_chain_of_the_run_s_jobs(page: Path):
    data = data_of(page)
    nodes, jobs = data["nodes"], data["run"]["jobs"]
    chain = data["critical"]["nodes"]
    for parent, child in pairwise(chain):
        assert parent in nodes["parents"][child]
    wall = {node: jobs["wall"][job] for job, node in enumerate(jobs["node"])}
    assert data["critical"]["seconds"] == pytest.approx(sum(wall[n] for n in chain), abs=1e-3)


def test_the_page_asks_nothing_of_any_network(page: Path):
    text = page.read_text()
    assert not re.findall(r'(?:src|href)="(?!#)[^"]', text)
    assert not re.findall(r"url\((?!#)|@import", text.partition("<script")[0])
    assert "<!-- " not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)


def test_failures_are_shown_with_their_errors_and_logs(project: Path):
    prices = project / "results/sample_market/all_prices.csv"
    head, first, second, *_ = prices.read_text().splitlines()
    prices.write_text("\n".join([head, second, first]) + "\n")
    run(project, "--profile", "profiles/local", check=False)
    data = data_of(project / run_cli(project, "report", "-o", "out/page.html").strip())
    assert states(data)["all_prices"] == "failed"
    assert states(data)["fin_pricedevz1d_byvol"] == "out of date"
    assert states(data)["marketcap"] == "up to date"
    jobs = data["run"]["jobs"]
    (at,) = (at for at, ok in enumerate(jobs["ok"]) if not ok)
    assert jobs["rule"][at] == "all_prices"
    assert "Basic.all_prices: " in jobs["error"][at] and "dates" in jobs["error"][at]
    assert "Traceback" in data["run"]["logs"][str(at)]
    assert not data["run"]["end"]["ok"]
    # The commands tell the same.
    shown = run_cli(project, "show", "all_prices")
    assert "state      failed" in shown and "it failed in the last run" in shown
    assert "failure    Basic.all_prices: results/sample_market/all_prices.csv: dates" in shown
    assert run_cli(project, "ls", "-l", "all_prices").splitlines()[1].startswith("failed ")
    assert "all_prices: " in run_cli(project, "why", "all_prices")


def test_without_a_record_the_results_are_shown(project: Path):
    for record in (project / "logs/runs").iterdir():
        record.unlink()
    (project / "results/temporary/a.parquet").unlink()
    data = data_of(project / run_cli(project, "report").strip())
    assert "run" not in data
    assert states(data)["a"] == "not made"


def test_each_run_writes_its_report_also_when_it_fails(project: Path):
    page = project / "results/report.html"
    page.unlink()
    (project / "results/temporary/a.parquet").unlink()
    told = run(project, "--profile", "profiles/local").stdout
    assert "Report of the run: results/report.html" in told
    assert data_of(page)["run"]["jobs"]["rule"] == ["a"]
    (project / "results/sample_market/marketcap.csv").write_text(
        "date,A\n2020-01-02,1\n2020-01-01,1\n"
    )
    run(project, "--profile", "profiles/local", check=False)
    assert states(data_of(page))["marketcap"] == "failed"


def test_a_report_that_cannot_be_written_fails_no_run(project: Path):
    page = project / "results/report.html"
    page.unlink()
    page.mkdir()
    (project / "results/temporary/a.parquet").unlink()
    out = run(project, "--profile", "profiles/local").stdout
    assert "No report of the run: results/report.html: can't be written: Is a directory" in out


# Records


HEAD = {"kind": "run", "id": "1", "started": 1.0, "config": {"results_dir": "results"}}
JOB = {"kind": "job", "rule": "a", "ok": False}


def record(folder: Path, name: str, *lines: dict[str, Any], rest: str = "") -> Path:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + rest)
    return path


def test_a_record_is_read_as_far_as_it_is_written(tmp_path: Path):
    read = read_run(record(tmp_path, "1", HEAD, JOB, JOB | {"ok": True}, rest='{"kind": "jo'))
    assert len(read.jobs) == 2 and not read.end
    assert read.last["a"]["ok"]


@pytest.mark.parametrize("text", ["", "{}\n", "not JSON\n", '{"kind": "job"}\n'])
def test_what_is_no_record_is_named(tmp_path: Path, text: str):
    with pytest.raises(InputFileError, match=r"1.jsonl.*is not the record of a run"):
        read_run(record(tmp_path, "1", rest=text))


def test_the_last_run_on_the_same_results_counts(tmp_path: Path):
    assert latest_run(Path("results"), tmp_path) is None
    record(tmp_path, "20260101", HEAD)
    record(tmp_path, "20260102", HEAD | {"id": "2"})
    record(tmp_path, "20260103", HEAD | {"config": {"results_dir": "others"}})
    record(tmp_path, "20260104")  # has just been begun
    found = latest_run(Path("results"), tmp_path)
    assert found and found.about["id"] == "2"


# The critical path


def test_the_critical_path_is_the_longest_of_all_chains():
    parents = {"a": [], "b": ["a"], "c": ["a", "b"], "d": ["c"], "e": ["b"], "f": []}
    seconds = {"a": 1.0, "b": 2.0, "c": 0.5, "d": 0.25, "e": 0.7, "f": 3.0}

    def longest(name: str) -> float:
        return seconds[name] + max((longest(p) for p in parents[name]), default=0.0)

    assert critical_path(parents, seconds)[1] == max(map(longest, parents)) == 3.75
    assert critical_path(parents, seconds)[0] == ["a", "b", "c", "d"]


def test_the_critical_path_of_nothing():
    assert critical_path({}, {}) == ([], 0.0)
    assert critical_path({"a": [], "b": ["a"]}, {}) == ([], 0.0)
