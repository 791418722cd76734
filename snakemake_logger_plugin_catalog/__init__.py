"""Snakemake logger plugin: one live view of a run in place of thousands of lines.

On a terminal it shows what is done, running, failed and to do; elsewhere (a file, a batch system,
continuous integration) a line every few seconds. Failures are told at once, and again at the end.
What the workflow's rules are is said by `announce`; durations, bytes and what the workers do come
from the Dask executor plugin, if that one runs the jobs and keeps records.
"""

from __future__ import annotations

import logging
import sys
from threading import RLock
from typing import TYPE_CHECKING, Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from .announce import announce

if TYPE_CHECKING:
    from .progress import Failure

__all__ = ["LogHandler", "announce"]

# Every start of Snakemake imports this module: rich is imported when the plugin is used.

PLAIN_SECONDS = 10.0
# What the view shows in its own way.
SHOWN = (
    *(LogEvent.JOB_INFO, LogEvent.JOB_STARTED, LogEvent.JOB_FINISHED, LogEvent.JOB_ERROR),
    *(LogEvent.PROGRESS, LogEvent.RUN_INFO, LogEvent.SHELLCMD, "catalog"),
)
# Said for each round of scheduling.
CHATTER = ("", "None", "Select jobs to execute...")


class LogHandler(LogHandlerBase):
    """Follows a run and shows it."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = False
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self) -> None:
        from rich.console import Console

        from .progress import Progress
        from .view import View

        settings = self.common_settings
        stream = sys.stdout if settings.stdout else sys.stderr
        self.console = Console(
            file=stream, highlight=False, markup=False, no_color=settings.nocolor or None
        )
        self.progress = Progress()
        self.following = RLock()
        self.view = View(self.console, self.progress, self.following, PLAIN_SECONDS)

    def emit(self, record: logging.LogRecord) -> None:
        """Take one message or event."""
        event = getattr(record, "event", None)
        if self.common_settings.dryrun or event not in SHOWN:
            self._say(record)
        # The live view reads the progress from a thread of its own, with the console's lock: what
        # is printed must not wait for that one while it holds the progress.
        with self.following:
            failure = self._follow(event, vars(record))
        if failure:
            self.view.tell(failure)
        if self.progress.began:
            self.view.start()
            self.view.refresh()

    def close(self) -> None:
        """Show what has become of the run."""
        with self.following:
            self.progress.poll()
        self.view.stop()
        super().close()

    def _follow(self, event: Any, values: dict[str, Any]) -> Failure | None:
        progress = self.progress
        if event == "catalog":
            progress.rules = values["rules"]
        elif event == LogEvent.RUN_INFO and values.get("stats") and not self.common_settings.dryrun:
            progress.begin(values["stats"])
        elif event == LogEvent.JOB_INFO:
            progress.names[values["jobid"]] = values["rule_name"]
        elif event == LogEvent.JOB_FINISHED:
            progress.finish(values["job_id"])
        elif event == LogEvent.JOB_ERROR:
            return progress.fail(values["rule_name"], list(values["log"] or ()))
        elif "dask_run" in values:
            progress.follow(**values["dask_run"])
        return None

    def _say(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if text not in CHATTER or self.common_settings.dryrun:
            style = "red" if record.levelno >= logging.ERROR else None
            self.console.print(text, style=style, soft_wrap=True)
