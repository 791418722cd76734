"""The view of a run: what it says, and on what."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from conftest import ROOT, run

from snakemake_logger_plugin_catalog.announce import Rule
from snakemake_logger_plugin_catalog.progress import Progress

RULES = {f"mean_{i}": Rule("prices", "mean") for i in range(4)}
RULES |= {f"slow_{i}": Rule("risk", "slow") for i in range(4)}


def line(rule: str, wall: float, error: str = "") -> str:
    values = {"kind": "job", "rule": rule, "wall": wall, "written": 10, "error": error}
    return json.dumps(values) + "\n"


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    progress = Progress(rules=RULES, names=dict(enumerate(RULES)))
    progress.begin(dict.fromkeys(RULES, 1) | {"total": 8})
    (tmp_path / "record").write_text('{"kind":"run"}\n')
    progress.follow(str(tmp_path / "record"), str(tmp_path), threads=2)
    return progress


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


def test_a_failure_is_forgotten_when_another_attempt_ends_well(progress, tmp_path: Path):
    with (tmp_path / "record").open("a") as record:
        record.write(line("slow_1", 1.0, "ValueError: no"))
    assert progress.fail("slow_1", ["a.log"]).error == "ValueError: no"
    assert progress.counts("operator")["slow"].failed == 1
    progress.finish(5)
    assert not progress.failures


def test_without_an_executor_s_word_the_end_of_the_log_is_told(tmp_path: Path):
    (tmp_path / "a.log").write_text("begun\nOSError: gone\n")
    progress = Progress()
    assert progress.fail("a", [str(tmp_path / "a.log")]).error.endswith("OSError: gone")
    assert progress.fail("a", [str(tmp_path / "b.log")]).error == ""


def test_what_runs_is_what_the_executor_has_begun(progress, tmp_path: Path):
    (tmp_path / "job-4-1").write_text(f"start host 1 2 {time.time() - 5:.3f}\n")
    (tmp_path / "job-1-1").write_text("start host 1 2 3.000\nend 0\n")
    (tmp_path / "job-2-1").write_text("")
    (job,) = progress.running()
    assert job.rule == "slow_0" and 4.9 < job.seconds < 8


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


@pytest.mark.parametrize("columns", [80, 200])
def test_on_a_terminal_it_is_live(project: Path, columns: int):
    break_prices(project)
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    path = [str(project), str(ROOT / "snakemake-executor-plugin-dask")]
    # These would be taken for the size of the terminal.
    inherited = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--profile", "profiles/local"],
        cwd=project,
        env={**inherited, "PYTHONPATH": os.pathsep.join(path), "TERM": "xterm-256color"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    shown = b""
    try:
        while chunk := os.read(main, 2**16):
            shown += chunk
    except OSError:
        pass  # the terminal has gone with the run
    assert process.wait(timeout=60) == 1
    text = shown.decode()
    assert "━" in text and "operator" in text
    assert "folder" in text and "running" in text
    assert text.count("FAILED all_prices") == 2
    assert "Finished jobid" not in text
