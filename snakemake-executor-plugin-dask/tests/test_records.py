"""What a run leaves to be read of it."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from conftest import Project

from snakemake_executor_plugin_dask.accounting import Account
from snakemake_executor_plugin_dask.records import Records

SNAKEFILE = """
    rule all:
        input: "good.txt", "bad.txt"
    rule good:
        output: "good.txt"
        log: "good.log"
        params: window=20, path=lambda wildcards: {1, 2}
        script: "good.py"
    rule bad:
        output: "bad.txt"
        retries: 1
        script: "bad.py"
"""


def records(project: Project) -> list[dict[str, Any]]:
    [file] = (project.path / "records").glob("*.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_line_for_each_attempt(project: Project) -> None:
    project.write("Snakefile", SNAKEFILE)
    project.write(
        "good.py", "import time; time.sleep(0.2); open(snakemake.output[0], 'w').write('x' * 5000)"
    )
    project.write("bad.py", "raise ValueError('no such thing')")
    run = project.run("--keep-going", "--dask-records", "records", "--config", "key=3")
    assert run.code == 1, run.text
    first, *jobs, last = records(project)
    assert (first["kind"], first["jobs"], first["config"]) == ("run", 2, {"key": 3})
    assert first["machines"][0]["threads"] == 2
    assert first["versions"]["snakemake"]
    good, *bad = sorted(jobs, key=lambda job: (job["rule"] != "good", job["attempt"]))
    assert good["ok"]
    assert (good["output"], good["log"]) == (["good.txt"], ["good.log"])
    assert good["params"] == {"window": 20, "path": "{1, 2}"}
    assert 0.2 <= good["wall"] < 5
    assert first["started"] <= good["started"] < good["started"] + good["wall"] <= last["ended"]
    assert good["written"] >= 5000 and good["max_rss"] > 0 and good["worker"] and good["host"]
    assert [(job["attempt"], job["ok"]) for job in bad] == [(1, False), (2, False)]
    assert "ValueError: no such thing" in bad[0]["error"]
    assert (last["kind"], last["ok"], last["jobs"], last["failed"]) == ("end", False, 3, 2)


def test_a_killed_run_keeps_what_it_has_recorded(project: Project) -> None:
    project.write(
        "Snakefile",
        """
        rule all:
            input: "long.txt", "short.txt"
        rule short:
            output: "short.txt"
            shell: "touch {output}"
        rule long:
            output: "long.txt"
            shell: "sleep 60"
        """,
    )
    process = project.start("--dask-records", "records")
    project.wait_for(lambda: project.exists("short.txt"))
    project.wait_for(lambda: len(records(project)) == 2)
    project.main(process).send_signal(signal.SIGKILL)
    project.finish(process)
    first, job = records(project)
    assert (first["jobs"], job["rule"], job["ok"]) == (2, "short", True)


def test_nothing_is_recorded_unless_asked_for(project: Project) -> None:
    project.write("Snakefile", 'rule one:\n    output: "a.txt"\n    shell: "touch {output}"\n')
    assert project.run().code == 0
    assert list(project.outputs()) == ["Snakefile", "a.txt"]


def test_a_folder_that_cannot_be_written_is_told_before_anything_runs(project: Project) -> None:
    project.write("Snakefile", 'rule one:\n    output: "a.txt"\n    shell: "touch {output}"\n')
    project.write("records", "in the way")
    run = project.run("--dask-records", "records")
    assert run.code == 1 and not project.exists("a.txt")
    assert "records: no record of the run can be written there: File exists" in run.text


def test_a_full_disk_ends_the_record_and_not_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records = Records(tmp_path, "run", {"jobs": 1})
    records.file.close()
    with Path("/dev/full").open("ab", buffering=0) as records.file:
        for _ in range(2):
            records._write({"kind": "job"})
        records.close(Account())
    assert caplog.text.count("the record ends here: No space left on device") == 1
    [line] = next(tmp_path.glob("*-run.jsonl")).read_text().splitlines()
    assert json.loads(line)["kind"] == "run"
