"""What is seen of a run: live tables on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from snakemake_executor_plugin_dask.accounting import size

from .progress import Count, Failure, Progress, Running
from .tracebacks import in_short

# A table has so many lines at most: its head, its rows, and one for all that have no row.
ROWS = 12
FRAME = 2
# Above the tables: the bar, and two lines that say all.
HEAD = 3
# From this width on, the tables stand side by side.
WIDE = 120


class View:
    """Shows a run's progress on a console, until `stop`.

    `lock` is held while the progress is read."""

    def __init__(
        self, console: Console, progress: Progress, lock: AbstractContextManager[Any], every: float
    ) -> None:
        self.console = console
        self.progress = progress
        self.lock = lock
        self.every = every
        self.last = 0.0
        self.live: Live | None = None
        self.started = False

    def start(self) -> None:
        """Begin to show."""
        if self.started:
            return
        self.started, self.last = True, time.monotonic()
        if self.console.is_terminal:
            self.live = Live(console=self.console, get_renderable=self._render, transient=True)
            self.live.start()

    def refresh(self) -> None:
        """Write a line where there is no terminal, if it is time for one."""
        if self.live or not self.started or time.monotonic() - self.last < self.every:
            return
        self.last = time.monotonic()
        self.progress.poll()
        self.console.print(summary(self.progress), soft_wrap=True)

    def tell(self, failure: Failure) -> None:
        """Say that a job has failed."""
        self.console.print(failed(failure), soft_wrap=True)

    def stop(self) -> None:
        """Say how the run has ended, with all failures."""
        if not self.started:
            return
        self.started = False
        if self.live:
            self.live.stop()
        for failure in self.progress.failures.values():
            self.console.print(failed(failure), soft_wrap=True)
        self.console.print(summary(self.progress), soft_wrap=True)

    def _render(self) -> RenderableType:
        with self.lock:
            self.progress.poll()
            return self._tables()

    def _tables(self) -> RenderableType:
        progress, width = self.progress, self.console.width
        bar = Table.grid()
        total, done = progress.jobs.total(), progress.done.total()
        bar.add_row(ProgressBar(total=total, completed=done, width=min(width, 100)))
        # What doesn't fit would be cut off below.
        free = self.console.height - HEAD
        rows = max(1, min(ROWS, free if width >= WIDE else free // 3) - FRAME)
        tables = [
            *(_counts(by, progress.counts(by), rows) for by in ("operator", "folder")),
            _running(progress.running(), rows),
        ]
        if width < WIDE:
            return Group(bar, Text(summary(progress)), *tables)
        side = Table.grid(padding=(0, 4, 0, 0))
        side.add_row(*tables)
        return Group(bar, Text(summary(progress)), side)


def summary(progress: Progress) -> str:
    """Return one line that says all.

    >>> from collections import Counter
    >>> progress = Progress(jobs=Counter(a=1, b=2), done=Counter(b=1), began=time.monotonic() - 2)
    >>> summary(progress)
    '1 of 3 jobs done, 0 failed, 0.5 jobs/s, 2 s'
    """
    done, total = progress.done.total(), progress.jobs.total()
    elapsed = progress.elapsed
    parts = [f"{done} of {total} jobs done", f"{len(progress.failures)} failed"]
    if running := len(progress.running()):
        parts.append(f"{running} running")
    parts.append(f"{done / max(elapsed, 0.1):.1f} jobs/s")
    if progress.written:
        parts.append(f"{size(progress.written)} written")
    parts.append(duration(elapsed))
    to_go = progress.seconds_to_go()
    if to_go is not None and done < total and running:
        parts.append(f"about {duration(to_go)} to go")
    return ", ".join(parts)


def failed(failure: Failure) -> Text:
    """Return what is said of a failure: its error in short, and its log."""
    text = Text(f"FAILED {failure.rule}", style="bold red")
    for line in in_short(failure.error):
        text.append(f"\n  {line}", style="not bold")
    for log in failure.logs:
        text.append(f"\n  log: {log}", style="not bold")
    return text


def _running(jobs: list[Running], rows: int) -> Table:
    table = Table("running", "", box=None, padding=(0, 2, 0, 0), header_style="dim")
    for job in jobs[:rows]:
        table.add_row(Text(job.rule, overflow="ellipsis", no_wrap=True), duration(job.seconds))
    if len(jobs) > rows:
        table.add_row(Text(f"{len(jobs) - rows} more", style="dim"), "")
    return table


def _counts(title: str, counts: dict[str, Count], rows: int) -> Table:
    table = Table(title, "", "done", "of", box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.columns[2].justify = table.columns[3].justify = "right"
    # What is being worked on first: begun and not ended, then what waits, then what is done.
    order = sorted(
        counts.items(),
        key=lambda item: (item[1].done >= item[1].total, not item[1].done, -item[1].total),
    )
    for name, count in order[:rows]:
        done = Text(str(count.done))
        if count.failed:
            done.append(f" ({count.failed} failed)", style="red")
        bar = ProgressBar(total=count.total, completed=count.done, width=16)
        table.add_row(Text(name or "/", no_wrap=True), bar, done, str(count.total))
    if len(order) > rows:
        rest = [count for _, count in order[rows:]]
        sums = (str(sum(c.done for c in rest)), str(sum(c.total for c in rest)))
        table.add_row(Text(f"{len(rest)} more", style="dim"), "", *sums)
    return table


def duration(seconds: float) -> str:
    """Return a duration for people.

    >>> duration(5.2), duration(125), duration(7300)
    ('5 s', '2 min 5 s', '2 h 1 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
