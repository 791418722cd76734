"""A run as text: one line, or tables that fit into a width and a height."""

from __future__ import annotations

import io
import platform
from collections.abc import Sequence
from itertools import zip_longest

from rich.console import Console
from rich.text import Text
from snakemake_executor_plugin_dask.accounting import size

from .progress import Count, Failure, Host, Progress, Running
from .tracebacks import in_short

# A table has a head, and one line for all that have no row.
FRAME = 2
# From this width on, the tables stand side by side.
WIDE = 170
NAME = 34
# For what the lengths of texts are reckoned with.
_CONSOLE = Console(file=io.StringIO())


def summary(progress: Progress, ended: bool = False) -> str:
    """Return one line that says all.

    >>> import time
    >>> from collections import Counter
    >>> progress = Progress(jobs=Counter(a=1, b=2), done=Counter(b=1), began=time.monotonic() - 2)
    >>> summary(progress, ended=True)
    '1 of 3 jobs done, 0 failed, 2 not run, 0.5 jobs/s, 2 s'
    """
    if not progress.began:
        return f"planning the run, {duration(progress.elapsed)}"
    done, total = progress.done.total(), progress.jobs.total()
    elapsed, failed = progress.elapsed, len(progress.failures) + len(progress.ended)
    running, blocked = progress.running(), len(progress.blocked())
    parts = [f"{done} of {total} jobs done", f"{failed} failed"]
    if blocked:
        parts.append(f"{blocked} can't run")
    if ended:
        left = total - done - failed - blocked
        parts += [f"{left} not run"] if left > 0 else []
    elif running:
        parts.append(f"{len(running)} running")
    elif progress.is_waiting:
        parts.append("no worker is ready yet")
    parts.append(f"{done / max(elapsed, 0.1) if ended else progress.rate:.1f} jobs/s")
    if progress.written:
        parts.append(f"{size(progress.written)} written")
    parts.append(duration(elapsed))
    to_go = progress.seconds_to_go()
    if to_go is not None and not ended:
        parts.append(f"about {duration(to_go)} to go")
    if progress.stopping and not ended:
        parts.append("ending")
    return ", ".join(parts)


def failed(failure: Failure) -> Text:
    """Return what is said of a failure: its error in short, and its log."""
    text = Text(f"FAILED {failure.rule}", style="bold red")
    for line in in_short(failure.error):
        text.append(f"\n  {line}", style="not bold")
    for log in failure.logs:
        text.append(f"\n  log: {log}", style="not bold")
    return text


def tables(progress: Progress, width: int, height: int) -> Text:
    """Return the whole view, in no more lines than there are."""
    told = Text(summary(progress), overflow="fold").wrap(_CONSOLE, width)
    if not progress.began:
        return Text("\n").join(told)
    running = progress.running()
    counts = {by: progress.counts(by) for by in ("operator", "folder")}
    hosts = progress.busy(running)
    wanted = [*(len(each) for each in counts.values()), len(hosts), len(running)]
    free = height - 1 - len(told) - FRAME
    if width >= WIDE:
        first, second = ([min(want, free)] for want in wanted[:2])
        rows = [*first, *second, *share(free - FRAME, wanted[2:])]
    else:
        rows = share(free - 3 * FRAME, wanted)
    blocks = [
        *(_counts(by, counts[by], most) for by, most in zip(counts, rows, strict=False)),
        _hosts(hosts, progress, rows[2]),
        _running(running, rows[3]),
    ]
    if width >= WIDE:
        lines = _beside(blocks[0], blocks[1], blocks[2] + blocks[3])
    else:
        lines = [line for block in blocks for line in block]
    bar = _bar(progress.done.total(), progress.jobs.total(), min(width, 100))
    shown = Text("\n", no_wrap=True).join([bar, *told, *lines])
    shown.no_wrap, shown.overflow = True, "ellipsis"
    return shown


def share(free: int, wanted: list[int]) -> list[int]:
    """Return how many rows each gets of those that are free; what one doesn't want others get.

    >>> share(12, [20, 2, 1, 9])
    [5, 2, 1, 4]
    >>> share(1, [5, 5])
    [1, 0]
    """
    rows = [0] * len(wanted)
    for _ in range(max(0, free)):
        least = min(
            (at for at, want in enumerate(wanted) if rows[at] < want),
            key=lambda at: rows[at],
            default=None,
        )
        if least is None:
            break
        rows[least] += 1
    return rows


def _hosts(busy: dict[str, float], progress: Progress, rows: int) -> list[Text]:
    table = []
    threads = {offer.get("threads", 0.0) for offer in progress.machines}
    each = threads.pop() if len(threads) == 1 else 0
    order = sorted(busy, key=lambda host: (-busy[host], host))
    known = 0
    for place, host in enumerate(order):
        ended = progress.hosts.get(host, Host())
        # A machine may have several workers; they are known by what they have done.
        workers = max(1, len(ended.workers))
        known += workers
        if place >= rows:
            continue
        offer = each * workers
        share = f"{busy[host] / offer:.0%} of {offer:g}" if offer else f"{busy[host]:.1f}"
        memory = size(ended.memory) if ended.memory else ""
        table.append([host or platform.node(), share, str(ended.jobs or ""), memory])
    idle, more = len(progress.machines) - known, len(order) - rows
    told = [f"{more} more"] if more > 0 else []
    told += [f"{idle} idle so far"] if idle > 0 else []
    if told:
        table.append([", ".join(told), "", "", ""])
    return _block(("worker", "busy", "jobs", "largest job"), table)


def _running(jobs: list[Running], rows: int) -> list[Text]:
    table = [[job.rule, duration(job.seconds)] for job in jobs[:rows]]
    if len(jobs) > rows:
        table.append([f"{len(jobs) - rows} more", ""])
    return _block(("running", ""), table)


def _counts(title: str, counts: dict[str, Count], rows: int) -> list[Text]:
    # What is being worked on first: what runs, what has begun, what waits, then what is done.
    order = sorted(
        counts.items(),
        key=lambda item: (
            -item[1].running,
            item[1].done >= item[1].total,
            not item[1].done,
            -item[1].total,
        ),
    )
    table = [
        [name or "/", _bar(count.done, count.total, 8), *_numbers(count)]
        for name, count in order[:rows]
    ]
    if len(order) > rows:
        rest = [count for _, count in order[rows:]]
        names = ("total", "done", "running", "failed", "blocked")
        total = Count(*(sum(getattr(count, name) for count in rest) for name in names))
        table.append([f"{len(rest)} more", "", *_numbers(total)])
    return _block((title, "", "done", "running", "to do", "failed", "can't run"), table)


def _numbers(count: Count) -> list[str | Text]:
    bad = [Text(str(number or ""), style="red") for number in (count.failed, count.blocked)]
    return [str(count.done), str(count.running or ""), str(count.to_do or ""), *bad]


def _bar(done: int, total: int, width: int) -> Text:
    filled = width * done // total if total else 0
    return Text("━" * filled, style="green").append("─" * (width - filled), style="dim")


def _block(titles: tuple[str, ...], rows: Sequence[Sequence[str | Text]]) -> list[Text]:
    """Return a table's lines, all of one width; from the third on, columns are right-aligned.

    A tenth of the time that a table of rich's takes: it is drawn over and over.
    """
    head = [Text(title, style="dim") for title in titles]
    cells = [head, *([Text(cell) if isinstance(cell, str) else cell for cell in r] for r in rows)]
    for row in cells:
        row[0].truncate(NAME, overflow="ellipsis")
    widths = [max(cell.cell_len for cell in column) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        line = Text()
        for at, (cell, width) in enumerate(zip(row, widths, strict=True)):
            blank = " " * (width - cell.cell_len)
            line.append_text(Text(blank) + cell if at > 1 else cell + Text(blank)).append(" ")
        lines.append(line)
    return lines


def _beside(*blocks: list[Text]) -> list[Text]:
    lines = []
    for row in zip_longest(*blocks):
        line = Text()
        for block, part in zip(blocks, row, strict=True):
            line.append_text(part or Text(" " * block[0].cell_len)).append("    ")
        lines.append(line)
    return lines


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
