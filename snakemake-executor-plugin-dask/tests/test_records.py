"""What a run leaves to be read of it."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from conftest import Project

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


LONG_AND_NEXT = """
    rule all:
        input: "next.txt"
    rule long:
        output: "long.txt"
        shell: "touch long.log; sleep 1.5; touch {output}"
    rule next:
        input: "long.txt"
        output: "next.txt"
        shell: "touch {output}"
"""
GROUP = """
    rule all:
        input: "good.txt", "bad.txt"
    rule good:
        output: "good.txt"
        group: "both"
        shell: "sleep 0.5; touch {output}"
    rule bad:
        output: "bad.txt"
        log: "bad.log"
        group: "both"
        shell: "echo oh no > {log}; sleep 1; test -e fail && touch {output}"
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
    first, *jobs, last = (line for line in records(project) if line["kind"] != "submitted")
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
    assert (last["kind"], last["outcome"], last["jobs"], last["failed"]) == ("end", "failed", 3, 2)


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
    project.wait_for(lambda: len(records(project)) == 4)
    project.main(process).send_signal(signal.SIGKILL)
    project.finish(process)
    first, *submitted, job = records(project)
    assert (first["jobs"], job["rule"], job["ok"]) == (2, "short", True)
    assert sorted(line["rules"] for line in submitted) == [["long"], ["short"]]


@pytest.mark.parametrize(
    "stop", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.thorough)]
)
def test_a_run_that_is_stopped_was_interrupted(project: Project, stop: signal.Signals) -> None:
    project.write("Snakefile", LONG_AND_NEXT)
    process = project.start("--dask-records", "records")
    project.wait_for(lambda: project.exists("long.log"))
    project.main(process).send_signal(stop)
    project.finish(process)
    *_, job, end = records(project)
    assert (job["rule"], job["ok"]) == ("long", True)
    assert (end["outcome"], end["failed"]) == ("interrupted", 0)


@pytest.mark.slow
def test_a_group_has_a_line_for_each_of_its_members(project: Project) -> None:
    project.write("Snakefile", GROUP)
    arguments = ("--keep-going", "--group-components", "both=2", "--dask-records", "records")
    assert project.run(*arguments).code == 1
    first, submitted, *jobs, end = records(project)
    assert first["jobs"] == 2 and submitted["rules"] == ["bad", "good"]
    bad, good = sorted(jobs, key=lambda job: job["rule"])
    assert bad["error"].strip() == "oh no" and not bad["ok"]
    # Snakemake removes what the others of a failed group have made.
    assert good["removed"] and not good["ok"] and not bad["removed"]
    assert first["started"] < good["started"] < good["started"] + good["wall"] < end["ended"]
    project.write("fail", "no")
    assert project.run(*arguments).code == 0
    *_, last = sorted((project.path / "records").glob("*.jsonl"))
    made = [json.loads(line) for line in last.read_text().splitlines()][2:-1]
    assert sorted((job["rule"], job["ok"], job["error"]) for job in made) == [
        ("bad", True, ""),
        ("good", True, ""),
    ]


def test_nothing_is_recorded_unless_asked_for(project: Project) -> None:
    project.write("Snakefile", 'rule one:\n    output: "a.txt"\n    shell: "touch {output}"\n')
    assert project.run().code == 0
    assert list(project.outputs()) == ["Snakefile", "a.txt"]


@pytest.mark.slow
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
            records.write({"kind": "job"})
        records.end("succeeded")
    assert caplog.text.count("the record ends here: No space left on device") == 1
    [line] = next(tmp_path.glob("*-run.jsonl")).read_text().splitlines()
    assert json.loads(line)["kind"] == "run"


def test_what_json_has_no_word_for(project: Project) -> None:
    """Keys of params and of the config that are no strings, and what can't be shown at all."""
    project.write(
        "Snakefile",
        """
        class Shy:
            def __repr__(self):
                raise ValueError("don't look")

        rule all:
            input: "odd.txt", "shy.txt"
        rule odd:
            output: "odd.txt"
            params: m={(1, 2): 3, "deep": [{None: {4: 5}}]}
            script: "one.py"
        rule shy:
            output: "shy.txt"
            params: m=Shy()
            shell: "touch {output}"
        """,
    )
    project.write("one.py", "open(snakemake.output[0], 'w').write(str(snakemake.params.m))\n")
    project.write("config.yaml", "2020-02-03: a day\n")
    run = project.run("--dask-records", "records", "--configfile", "config.yaml")
    assert run.code == 0, run.text
    first, *others, last = records(project)
    (job,) = (line for line in others if line["kind"] == "job")
    assert first["config"] == {"2020-02-03": "a day"}
    assert job["params"] == {"m": {"(1, 2)": 3, "deep": [{"null": {"4": 5}}]}}
    assert "a line can't be written: ValueError" in run.text
    assert (last["outcome"], last["jobs"]) == ("succeeded", 2)
