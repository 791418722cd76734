"""The view on a terminal, as it is drawn: in tmux, which is asked for its screen."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ROOT, snakemake

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="there is no tmux")

SECONDS = 60
BAR = set("━─")
PATH = os.pathsep.join([str(ROOT), str(ROOT / "snakemake-executor-plugin-dask")])
SNAKEFILE = """
import os
from snakemake.logging import logger
from snakemake_logger_plugin_catalog import announce, wait_for_view
from snakemake_logger_plugin_catalog.announce import Rule as Counted

NAMES = [f"mean_{i}" for i in range(6)] + [f"slow_{i}" for i in range(6)]
groups = {n: Counted("prices" if n[0] == "m" else "risk", n[:4], ("mean_0",) * (n == "slow_0"))
          for n in NAMES}
announce(logger, groups, config={"results_dir": "here"}, former=dict)

rule all:
    input: [f"{name}.txt" for name in NAMES]

for name in NAMES:
    rule:
        name: name
        # The first two are mean_0 and mean_1.
        input:
            [] if name in ("mean_0", "mean_1") else ["mean_1.txt"],
            ["mean_0.txt"] if name == "slow_0" else []
        output: f"{name}.txt"
        log: f"{name}.log"
        group: config.get("group")
        params: bad=name == config.get("bad")
        shell:
            "if [ {params.bad} = True ]; then echo 'ValueError: no such share' > {log}; exit 1; fi;"
            # What waits goes on when the test has seen it.
            "while [ ! -e go ] && [ {rule} != mean_1 ]; do sleep 0.05; done; touch {output}"

onsuccess:
    wait_for_view(logger, workflow.logger_manager.get_log_handlers(), True)
onerror:
    wait_for_view(logger, workflow.logger_manager.get_log_handlers(), False)
"""
DASK = ["--executor", "dask", "--scheduler", "dask", "--dask-threads", "2", "--jobs", "99"]
DASK += ["--dask-records", "records", "--dask-preload", ""]
LOCAL = ["--cores", "2"]
VIEW = ["--logger", "catalog", "--logger-catalog-records", "records", "--keep-going"]


class Screen:
    """A terminal in which Snakemake runs."""

    def __init__(self, folder: Path, size: tuple[int, int], *arguments: str) -> None:
        self.tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        command = shlex.join([sys.executable, "-m", "snakemake", *VIEW, *arguments])
        # After the end the screen stays to be looked at.
        script = f"{command}; echo the code is $?; sleep 600"
        environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "TMUX")}
        columns, lines = size
        subprocess.run(
            [*self.tmux, "new-session", "-d", "-x", str(columns), "-y", str(lines), script],
            cwd=folder,
            env={**environment, "PYTHONPATH": PATH, "LC_ALL": "C.UTF-8"},
            check=True,
        )

    def lines(self, history: bool = False) -> list[str]:
        """Return what is shown now; with what has scrolled away before it."""
        arguments = ["-S", "-"] if history else []
        show = [*self.tmux, "capture-pane", "-p", *arguments]
        return subprocess.run(show, check=True, capture_output=True, text=True).stdout.splitlines()

    def wait(self, what: Callable[[list[str]], object], history: bool = False) -> list[str]:
        """Wait until the screen is so, and return it."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            has_ended = any("the code is" in line for line in self.lines())
            if what(lines := self.lines(history)):
                return lines
            if has_ended:
                break
            time.sleep(0.1)
        pytest.fail("\n".join(lines))

    def wait_for(self, *texts: str, history: bool = False) -> list[str]:
        """Wait until all of these are shown, each in one line."""
        return self.wait(
            lambda lines: all(any(text in line for line in lines) for text in texts), history
        )

    def do(self, *command: str) -> None:
        subprocess.run([*self.tmux, *command], check=True)


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Callable[..., Screen]]:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    opened = []

    def open_(size: tuple[int, int], *arguments: str) -> Screen:
        opened.append(Screen(tmp_path, size, *arguments))
        return opened[-1]

    yield open_
    (tmp_path / "go").touch()
    for each in opened:
        each.do("kill-server")


def columns(lines: list[str], title: str, name: str) -> dict[str, int]:
    """Return the numbers in the row of a table, by their columns."""
    at = next(at for at, line in enumerate(lines) if f"{title} " in line and "done" in line)
    left = lines[at].index(f"{title} ")
    row = next(line for line in lines[at + 1 :] if line[left:].startswith(name))
    found = {}
    for column in ("done", "running", "to do", "failed", "can't run"):
        # They are right-aligned.
        end = lines[at].index(column, left) + len(column)
        found[column] = int(row[end - len(column) : end].strip() or 0)
    return found


@pytest.mark.parametrize(
    ("size", "executor"),
    [
        ((80, 40), DASK),
        ((200, 40), LOCAL),
        pytest.param((200, 40), DASK, marks=pytest.mark.slow),
        pytest.param((80, 40), LOCAL, marks=pytest.mark.slow),
    ],
)
def test_it_tells_what_is_done_running_failed_and_to_do(screen, tmp_path, size, executor):
    shown = screen(size, *executor, "--config", "bad=mean_0")
    # Two run, one has ended well, one has failed and keeps another from running.
    lines = shown.wait(lambda lines: any(" 1 failed, 1 can't run, 2 running" in x for x in lines))
    lines = shown.wait_for("FAILED mean_0", "ValueError: no such share", "log: mean_0.log")
    assert all(len(line) <= size[0] for line in lines)
    text = "\n".join(lines)
    assert text.count("operator ") == text.count("folder ") == text.count("worker ") == 1
    mean, slow = (columns(lines, "operator", name) for name in ("mean", "slow"))
    assert (mean["done"], mean["failed"], slow["can't run"]) == (1, 1, 1)
    assert mean["running"] + slow["running"] == 2
    assert mean["running"] + mean["to do"] == 4 and slow["running"] + slow["to do"] == 5
    assert (mean, slow) == tuple(columns(lines, "folder", name) for name in ("prices", "risk"))
    (tmp_path / "go").touch()
    lines = shown.wait_for("the code is 1")
    last = [line for line in lines if "jobs done" in line]
    assert len(last) == 1
    assert "10 of 13 jobs done, 1 failed, 1 can't run, 1 not run" in last[0]
    # Told again at the end, of the tables nothing is left.
    told = shown.lines(history=True)
    assert sum("FAILED mean_0" in line for line in told) == 2
    assert not any("operator" in line and "to do" in line for line in lines)


@pytest.mark.slow
def test_after_a_resize_nothing_of_the_former_frames_is_left(screen, tmp_path):
    shown = screen((200, 40), *LOCAL, "--config", "bad=mean_0")
    shown.wait_for("1 can't run", "FAILED mean_0")
    for columns_, height in ((80, 30), (120, 45), (60, 24), (200, 30)):
        shown.do("resize-window", "-x", str(columns_), "-y", str(height))

        def is_new(lines: list[str], width: int = columns_) -> bool:
            bars = [line.rstrip() for line in lines if line.strip() and set(line.strip()) <= BAR]
            return len(bars) == 1 and len(bars[0]) == min(width, 100)

        lines = shown.wait(is_new)
        text = "\n".join(lines)
        for title in ("operator ", "folder ", "worker ", "jobs done", "FAILED mean_0"):
            assert text.count(title) == 1, text
    (tmp_path / "go").touch()
    shown.wait_for("the code is 1")


@pytest.mark.slow
def test_an_interrupted_run_says_what_has_not_run(screen, tmp_path):
    shown = screen((80, 40), *DASK)
    shown.wait_for("2 running")
    shown.do("send-keys", "C-c")
    shown.wait_for("jobs are running", history=True)
    (tmp_path / "go").touch()
    lines = shown.wait_for("the code is 1")
    (last,) = (line for line in lines if "jobs done" in line)
    assert "0 failed" in last and "not run" in last
    record = (next((tmp_path / "records").iterdir())).read_text()
    assert '"outcome":"interrupted"' in record.splitlines()[-1]


# Without a terminal


@pytest.mark.slow
def test_groups_are_followed_and_recorded(tmp_path: Path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "go").touch()
    out = snakemake(
        *(*VIEW, *DASK, "--group-components", "all_of_it=20"),
        *("--config", "bad=mean_0", "group=all_of_it"),
        cwd=tmp_path,
        check=False,
        PYTHONPATH=str(ROOT),
    ).stdout
    assert out.count("FAILED mean_0\n") == 2
    assert "ValueError: no such share" in out and "log: mean_0.log" in out
    # The child's word for a command that fails, and no other exception.
    assert "Exception" not in out.replace("RuleException:", "") and "Traceback" not in out
    assert "Exiting because a job execution failed" in out
    assert out.rstrip().splitlines()[-1].startswith("0 of 13 jobs done, 12 failed")


@pytest.mark.slow
def test_there_are_lines_while_nothing_ends(tmp_path: Path):
    (tmp_path / "Snakefile").write_text(
        'rule slow:\n    output: "slow.txt"\n    shell: "sleep 23; touch {output}"\n'
    )
    out = snakemake(*VIEW, *LOCAL, cwd=tmp_path, PYTHONPATH=str(ROOT)).stdout
    running = [line for line in out.splitlines() if "0 of 1 jobs done" in line]
    assert len(running) >= 2 and all("1 running" in line for line in running)
