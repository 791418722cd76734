"""What the report is made of, and that it is one file that needs no other."""

from __future__ import annotations

import base64
import gzip
import json
import math
import platform
import re
import subprocess
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import run, run_cli
from snakemake_executor_plugin_dask.ledger import start_time

from deriv_ops.errors import InputFileError
from deriv_ops.report import render, report_at_end
from deriv_ops.report.critical_path import critical_path
from deriv_ops.runs import former_seconds, last_jobs, latest_run, read_run


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
    assert all(jobs["ok"]) and data["run"]["outcome"] == "succeeded"
    assert data["versions"]["pandas"]
    assert nodes["place"][at].startswith("deriv_ops/catalogs/toy.py:")


def test_the_critical_path_is_a_chain_of_the_run_s_jobs(page: Path):
    data = data_of(page)
    nodes, jobs = data["nodes"], data["run"]["jobs"]
    chain = data["critical"]["jobs"]
    # The sample market isn't of the catalog, and all waits for it.
    assert jobs["rule"][chain[0]] == "sample_market" and jobs["node"][chain[0]] == -1
    first, *rest = [jobs["node"][job] for job in chain[1:]]
    assert nodes["operator"][first] == -1
    for parent, child in pairwise([first, *rest]):
        assert parent in nodes["parents"][child]
    seconds = data["critical"]["seconds"]
    assert seconds == pytest.approx(sum(jobs["wall"][job] for job in chain), abs=1e-3)
    assert data["critical"]["work"] == pytest.approx(sum(jobs["wall"]), abs=1e-2)


def test_the_page_asks_nothing_of_any_network(page: Path):
    text = page.read_text()
    assert not re.findall(r'(?:src|href)="(?!#)[^"]', text)
    assert not re.findall(r"url\((?!#)|@import", text.partition("<script")[0])
    assert "<!-- " not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)


@pytest.mark.slow
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
    assert data["run"]["paths"] == {str(at): "logs/basic/all_prices.log"}
    assert data["run"]["outcome"] == "failed"
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
    assert "run" not in data and set(data["last"]["wall"]) == {None}
    assert states(data)["a"] == "not made"


@pytest.mark.slow
def test_each_run_writes_its_report_also_when_it_fails(project: Path):
    page = project / "results/report.html"
    page.unlink()
    (project / "results/temporary/a.parquet").unlink()
    told = run(project, "--profile", "profiles/local").stdout
    assert "Report of the run: results/report.html" in told
    data = data_of(page)
    assert data["run"]["jobs"]["rule"] == ["a"]
    # What the others took is known from the run that made them.
    assert None not in data["last"]["wall"] and len(data["records"]) == 2
    at = data["nodes"]["name"].index("a")
    assert data["records"][data["last"]["record"][at]] == data["run"]["record"]
    (project / "results/sample_market/marketcap.csv").write_text(
        "date,A\n2020-01-02,1\n2020-01-01,1\n"
    )
    run(project, "--profile", "profiles/local", check=False)
    assert states(data_of(page))["marketcap"] == "failed"


@pytest.mark.slow
def test_a_report_that_cannot_be_written_fails_no_run(project: Path):
    page = project / "results/report.html"
    page.unlink()
    page.mkdir()
    (project / "results/temporary/a.parquet").unlink()
    out = run(project, "--profile", "profiles/local").stdout
    assert "No report of the run: results/report.html: can't be written: Is a directory" in out


@pytest.mark.slow
def test_without_the_dask_executor_the_view_keeps_the_record(project: Path):
    (project / "results/temporary/a.parquet").unlink()
    told = run(project, "--keep-going").stdout
    assert "Report of the run: results/report.html" in told
    data = data_of(project / "results/report.html")
    jobs = data["run"]["jobs"]
    assert data["run"]["outcome"] == "succeeded"
    assert jobs["rule"] == ["a", "all"] and all(jobs["ok"])
    at = jobs["rule"].index("a")
    assert jobs["wall"][at] > 0 and jobs["cpu"][at] is None
    assert data["critical"]["seconds"] > 0


def test_numbers_for_which_json_has_no_word_are_text():
    page = render({"catalog": "c", "params": [{"limit": math.inf}, (math.nan, 1.5)]})
    (packed,) = re.findall(r'id="data">([^<]*)</script>', page)
    data = json.loads(gzip.decompress(base64.b64decode(packed)))
    assert data["params"] == [{"limit": "inf"}, ["nan", 1.5]]


def test_an_error_in_the_report_fails_no_run(monkeypatch, tmp_path: Path):
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("of the report's own")

    monkeypatch.setattr("deriv_ops.report.write_report", fail)
    config = SimpleNamespace(results_dir=tmp_path)
    told = report_at_end(None, config, 0.0)
    assert told == "No report of the run: ZeroDivisionError: of the report's own"


# Records


HEAD = {"kind": "run", "id": "1", "started": 1.0, "config": {"results_dir": "results"}}
JOB = {"kind": "job", "rule": "a", "jobid": 1, "group": "", "attempt": 1, "ok": False}
JOB |= {"error": "", "started": 2.0, "wall": 1.0, "host": "n1"}


def record(folder: Path, name: str, *lines: dict[str, Any], rest: str = "") -> Path:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + rest)
    return path


def test_a_record_is_read_as_far_as_it_is_written(tmp_path: Path):
    read = read_run(record(tmp_path, "1", HEAD, JOB, JOB | {"ok": True}, rest='{"kind": "jo'))
    assert len(read.jobs) == 2 and not read.end
    assert read.last["a"]["ok"]


@pytest.mark.parametrize("text", ["", "{}\n", "not JSON\n", '{"kind": "job"}\n', "[1]\n"])
def test_what_is_no_record_is_named(tmp_path: Path, text: str):
    with pytest.raises(InputFileError, match=r"1.jsonl.*is not the record of a run"):
        read_run(record(tmp_path, "1", rest=text))


@pytest.mark.parametrize("line", ["not JSON", "{}", '{"kind": "job"}', "\0\0", '{"kind": 7}'])
def test_a_line_that_can_t_be_read_is_left_out_with_a_warning(tmp_path: Path, caplog, line: str):
    path = record(tmp_path, "1", HEAD, JOB, rest=f"{line}\n{json.dumps(JOB | {'rule': 'b'})}\n")
    assert set(read_run(path).last) == {"a", "b"}
    assert f"{path}:3: left out" in caplog.text


def test_the_last_run_on_the_same_results_counts(tmp_path: Path, caplog):
    assert latest_run(Path("results"), tmp_path) is None
    record(tmp_path, "20260101", HEAD)
    record(tmp_path, "20260102", HEAD | {"id": "2", "started": 2.0})
    others = {"config": {"results_dir": "others"}}
    record(tmp_path, "20260103", HEAD | others, rest="what is wrong with others is theirs\n")
    record(tmp_path, "20260104")  # has just been begun
    record(tmp_path, "20260105", rest="not a record\n")
    found = latest_run(Path("results"), tmp_path)
    assert found and found.about["id"] == "2"
    assert not caplog.text
    assert latest_run(Path("results"), tmp_path, since=2.5) is None


def test_of_each_result_the_last_job_that_made_it_counts(tmp_path: Path):
    made = JOB | {"ok": True}
    old = record(tmp_path, "1", HEAD, made | {"wall": 7.0}, made | {"rule": "b", "wall": 5.0})
    new = record(tmp_path, "2", HEAD, made, JOB | {"rule": "b"})
    found = last_jobs(Path("results"), {"a", "b", "c"}, tmp_path)
    assert {name: (job["wall"], path) for name, (job, path) in found.items()} == {
        "a": (1.0, new),
        "b": (5.0, old),  # in the last run it failed
    }
    assert former_seconds(Path("results"), tmp_path) == {"a": 1.0, "b": 5.0}


def test_a_run_goes_on_as_long_as_its_process_does(tmp_path: Path):
    process = subprocess.Popen(["sleep", "60"])
    here = HEAD | {"host": platform.node(), "pid": process.pid}
    here |= {"pid_started": start_time(process.pid)}
    submitted = {"kind": "submitted", "attempt": 1, "time": 5.0}
    lines = [
        *(here, submitted | {"jobid": 1, "rules": ["a"]}, JOB | {"ok": True}),
        *(submitted | {"jobid": 2, "rules": ["b"]}, submitted | {"jobid": "u-u", "rules": ["c"]}),
    ]
    read = read_run(record(tmp_path, "1", *lines))
    assert read.outcome == "goes on"
    assert [job["rule"] for job in read.running] == ["b", "c"]
    # The Dask executor knows which of those have begun.
    ledgers = tmp_path / "1a2b"
    ledgers.mkdir()
    (ledgers / "job-1a2b-u-u-1").write_text("start n1 1 2 7.500\n")
    read = read_run(record(tmp_path, "1", here | {"ledgers": str(ledgers)}, *lines[1:]))
    assert read.running == [{"rule": "c", "host": "n1", "started": 7.5}]
    process.kill()
    process.wait()
    read = read_run(record(tmp_path, "1", *lines))
    assert (read.outcome, read.running) == ("died", [])
    elsewhere = read_run(record(tmp_path, "1", here | {"host": "elsewhere"}))
    assert elsewhere.outcome == "goes on or died"
    ended = read_run(
        record(tmp_path, "1", here, {"kind": "end", "ended": 9.0, "outcome": "failed"})
    )
    assert ended.outcome == "failed"


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
