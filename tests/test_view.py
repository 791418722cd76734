"""The view of a run: what it says, and on what."""

from __future__ import annotations

import json
import logging
import os
import time
from collections import Counter
from pathlib import Path

import pytest
from conftest import run
from snakemake.settings.types import OutputSettings

from snakemake_logger_plugin_catalog import LogHandler, LogHandlerSettings
from snakemake_logger_plugin_catalog.announce import Rule
from snakemake_logger_plugin_catalog.progress import Failure, Progress
from snakemake_logger_plugin_catalog.tables import summary

RULES = {f"mean_{i}": Rule("prices", "mean") for i in range(4)}
RULES |= {f"slow_{i}": Rule("risk", "slow", (f"mean_{i}",)) for i in range(4)}
# On the machine of the jobs, who runs what.
LEDGERS = "1a2b"


def line(rule: str, wall: float, error: str = "", **values: object) -> str:
    values = {"kind": "job", "rule": rule, "wall": wall, "written": 10, "error": error} | values
    about = {"host": "n1", "worker": "tcp://n1:1", "max_rss": 5, "started": time.time() - wall}
    return json.dumps(about | values) + "\n"


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    progress = Progress(rules=RULES)
    (tmp_path / LEDGERS).mkdir()
    (tmp_path / "record").write_text('{"kind":"run","machines":[{"threads":2}]}\n')
    progress.follow(str(tmp_path / "record"), str(tmp_path / LEDGERS), threads=2)
    progress.begin(dict.fromkeys(RULES, 1) | {"total": 8})
    for jobid, rule in enumerate(RULES):
        progress.start(jobid, rule, local=False)
    return progress


def begin(tmp_path: Path, job: str, seconds: float) -> None:
    start = f"start n1 1 2 {time.time() - seconds:.3f}\n"
    (tmp_path / LEDGERS / f"job-{LEDGERS}-{job}").write_text(start)


def look(progress: Progress) -> None:
    progress._looked = 0.0
    progress.poll()


def test_the_rest_takes_as_long_as_jobs_of_the_same_operators_took(progress, tmp_path: Path):
    assert progress.seconds_to_go() is None
    with (tmp_path / "record").open("a") as record:
        record.write(line("mean_0", 1.0) + line("mean_1", 3.0) + line("slow_0", 20.0)[:30])
        record.flush()
        progress.poll()  # a line that isn't whole yet waits
        assert progress.written == 20
        record.write(line("slow_0", 20.0)[30:])
    progress.poll()
    for jobid in (0, 1, 4):
        progress.finish(jobid)
    progress.began = time.monotonic() - 12  # 24 s of work in 12 s: two at a time
    assert progress.seconds_to_go() == pytest.approx((2 * 2 + 3 * 20) / 2, rel=0.01)
    counts = progress.counts("folder")
    assert (counts["prices"].done, counts["prices"].total) == (2, 4)
    assert (counts["risk"].done, counts["risk"].total) == (1, 4)


def test_what_has_been_worked_on_isn_t_waited_for_again(progress, tmp_path: Path):
    with (tmp_path / "record").open("a") as record:
        record.write("".join(line(f"mean_{i}", 0.1) for i in range(4)) + line("slow_0", 20.0))
    for jobid in (0, 1, 2, 3, 4):
        progress.finish(jobid)
    begin(tmp_path, "5-1", seconds=15)
    begin(tmp_path, "6-1", seconds=5)
    look(progress)
    # 5 s and 15 s are left of two jobs that run, and 20 s of one that waits, on two threads.
    assert progress.seconds_to_go() == pytest.approx((5 + 15 + 20) / 2, rel=0.05)
    progress.stopping = True
    assert progress.seconds_to_go() == pytest.approx(15, rel=0.05)


def test_what_runs_longer_than_expected_makes_the_rest_longer(progress, tmp_path: Path):
    with (tmp_path / "record").open("a") as record:
        record.write(line("mean_0", 1.0))
    progress.finish(0)
    begin(tmp_path, "1-1", seconds=9)
    look(progress)
    progress.began -= 10
    # Of mean one took 1 s and another takes 9 s at least: two wait for 5 s each; slow isn't known.
    assert progress.seconds_to_go() == pytest.approx(2 * 5 + 4 * 1, rel=0.05)


def test_before_anything_has_ended_former_runs_tell_how_long_it_takes(progress):
    progress.former = lambda: {"mean_0": 1.0, "mean_1": 3.0, "slow_3": 10.0, "gone": 1.0}
    progress.begin(dict.fromkeys(RULES, 1) | {"total": 8})
    assert progress.seconds_to_go() == pytest.approx(4 * 2 + 4 * 10, rel=0.01)


def test_a_failure_is_forgotten_when_another_attempt_ends_well(progress, tmp_path: Path):
    with (tmp_path / "record").open("a") as record:
        record.write(line("slow_1", 1.0, "ValueError: no"))
    assert progress.fail("slow_1", ["a.log"]).error == "ValueError: no"
    assert progress.counts("operator")["slow"].failed == 1
    progress.finish(5)
    assert not progress.failures


def test_what_needs_something_that_failed_can_t_run(progress):
    progress.fail("mean_2", [])
    progress.finish(0)
    assert progress.blocked() == {"slow_2"}
    counts = progress.counts("operator")
    assert (counts["mean"].failed, counts["mean"].to_do) == (1, 2)
    assert (counts["slow"].blocked, counts["slow"].to_do) == (1, 3)
    assert "1 of 8 jobs done, 1 failed, 1 can't run, 5 not run" in summary(progress, ended=True)


def test_of_a_group_that_failed_the_job_to_blame_is_told(progress, tmp_path: Path):
    with (tmp_path / "record").open("a") as record:
        record.write(line("mean_0", 1.0, ok=False, removed=True))
        record.write(line("mean_1", 1.0, "OSError: gone"))
    told = progress.fail_group("level_0", {f"mean_{i}": (f"{i}.log",) for i in range(3)})
    assert told == [Failure("mean_1", "OSError: gone", ("1.log",))]
    # Snakemake removes what the others have made.
    assert progress.counts("operator")["mean"].failed == 3
    assert progress.blocked() == {"slow_0", "slow_1", "slow_2"}


def test_of_a_group_of_which_nothing_is_recorded_the_last_log_is_told(progress, tmp_path: Path):
    (tmp_path / "0.log").write_text("all is well")
    (tmp_path / "1.log").write_text("OSError: gone")
    os.utime(tmp_path / "0.log", (1, 1))
    logs = {f"mean_{i}": (str(tmp_path / f"{i}.log"),) for i in range(3)}
    (told,) = progress.fail_group("level_0", logs)
    assert (told.rule, told.error) == ("one of level_0", "OSError: gone")


def test_of_a_group_that_never_ran_no_old_log_is_told(tmp_path: Path):
    old, new = tmp_path / "old.log", tmp_path / "new.log"
    progress = Progress(jobs=Counter(a=1, b=1))
    for log in (old, new):
        log.write_text("all is well")
    for jobid, rule in enumerate("ab"):
        progress.start(jobid, rule, local=False)
    os.utime(old, (1, 1))
    (told,) = progress.fail_group("level_0", {"a": (str(old),), "b": (str(tmp_path / "none"),)})
    assert "None of its jobs has written a log" in told.error and "as a without" in told.error
    assert told.logs == ()
    progress.start(0, "a", local=False)
    os.utime(new, (time.time() + 1,) * 2)
    (told,) = progress.fail_group("level_0", {"a": (str(old), str(new))})
    assert told == Failure("one of level_0", "all is well", (str(new),))


def test_without_an_executor_s_word_the_end_of_the_log_is_told(tmp_path: Path):
    (tmp_path / "a.log").write_text("begun\nOSError: gone\n")
    progress = Progress()
    assert progress.fail("a", [str(tmp_path / "a.log")]).error.endswith("OSError: gone")
    assert progress.fail("a", [str(tmp_path / "b.log")]).error == ""


def test_what_runs_is_what_the_executor_has_begun(progress, tmp_path: Path):
    uuid = "862cb60a-7b1e-5d0c-a430-0123456789ab"
    progress.members[uuid] = ["mean_2", "mean_3"]
    begin(tmp_path, "4-1", seconds=5)
    begin(tmp_path, f"{uuid}-1", seconds=3)
    (tmp_path / LEDGERS / f"job-{LEDGERS}-1-1").write_text("start host 1 2 3.000\nend 0\n")
    (tmp_path / LEDGERS / f"job-{LEDGERS}-2-1").write_text("")
    look(progress)
    slow, *group = progress.running()
    assert (slow.rule, slow.host) == ("slow_0", "n1") and 4.9 < slow.seconds < 8
    assert [job.rule for job in group] == ["mean_2", "mean_3"]
    assert progress.counts("operator")["mean"].running == 2
    # Of what a former look has told the files aren't opened again.
    for file in (tmp_path / LEDGERS).iterdir():
        file.chmod(0) if os.getuid() else file.write_text("")
    look(progress)
    assert [job.rule for job in progress.running()] == ["slow_0", "mean_2", "mean_3"]


def test_without_the_dask_executor_what_was_given_to_one_runs():
    progress = Progress(rules=RULES)
    progress.begin(dict.fromkeys(RULES, 1))
    progress.start(7, "mean_1", local=False)
    (job,) = progress.running()
    assert job.rule == "mean_1"
    progress.started["mean_1"] -= 10
    progress.began -= 10
    assert progress.finish(7) == pytest.approx(time.time() - 10, abs=1)
    assert not progress.running()
    assert progress.seconds_to_go() == pytest.approx(7 * 10, rel=0.1)


def test_how_busy_workers_are_is_of_late(progress, tmp_path: Path):
    with (tmp_path / "record").open("a") as record:
        record.write(line("mean_0", 2.0) + line("mean_1", 3.0))
        record.write(line("mean_2", 60.0, started=time.time() - 100))
    begin(tmp_path, "4-1", seconds=30)
    look(progress)
    assert progress.busy(progress.running()) == {"n1": pytest.approx((2 + 3 + 5) / 5, rel=0.05)}


def test_an_error_of_the_view_ends_neither_the_run_nor_its_messages(capfd):
    handler = LogHandler(OutputSettings(), LogHandlerSettings())
    handler.setFormatter(logging.Formatter())
    handler.emit(logging.makeLogRecord({"event": "run_info", "stats": "nonsense", "msg": ""}))
    handler.emit(logging.makeLogRecord({"msg": "said after it", "levelno": logging.INFO}))
    err = capfd.readouterr().err
    assert "AttributeError" in err and "said after it" in err


def break_prices(folder: Path) -> None:
    prices = folder / "results/sample_market/all_prices.csv"
    head, first, second, *_ = prices.read_text().splitlines()
    prices.write_text("\n".join([head, second, first]) + "\n")


def test_without_a_terminal_it_is_a_few_plain_lines(project: Path):
    out = run(project, "--profile", "profiles/local", "--forceall").stdout
    assert "12 of 12 jobs done, 0 failed" in out or "13 of 13 jobs done, 0 failed" in out
    assert "\x1b" not in out
    for chatter in ("Finished jobid", "Select jobs", "Reason:", "steps ("):
        assert chatter not in out


@pytest.mark.parametrize("executor", [["--profile", "profiles/local"], ["--logger", "catalog"]])
def test_a_failure_is_told_at_once_and_at_the_end(project: Path, executor: list[str]):
    break_prices(project)
    out = run(project, *executor, check=False).stdout
    assert out.count("FAILED all_prices\n") == 2
    told = out.partition("FAILED all_prices\n")[2].partition("FAILED")[0]
    assert "Basic.all_prices: " in told and "dates" in told
    assert "log: logs/basic/all_prices.log" in told
    assert out.rstrip().splitlines()[-1].startswith("0 of ") and ", 1 failed, " in out
