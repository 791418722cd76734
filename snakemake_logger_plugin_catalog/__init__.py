"""Snakemake logger plugin: one live view of a run in place of thousands of lines.

On a terminal it shows what is done, running, failed and to do; elsewhere (a file, a batch system,
continuous integration) a line every few seconds. Failures are told at once, and again at the end.
What the workflow's rules are is said by `announce`; bytes and what the workers do come from the
Dask executor plugin, if that one runs the jobs and keeps a record. Where it doesn't, the record is
kept here, of what Snakemake says.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from .announce import announce, wait_for_view
from .settings import LogHandlerSettings

if TYPE_CHECKING:
    from .progress import Failure
    from .record import OwnRecord

__all__ = ["LogHandler", "LogHandlerSettings", "announce", "wait_for_view"]

# Every start of Snakemake imports this module: rich is imported when the plugin is used.

PLAIN_SECONDS = 10.0
# What the view shows in its own way.
SHOWN = (
    *(LogEvent.JOB_INFO, LogEvent.JOB_STARTED, LogEvent.JOB_FINISHED, LogEvent.JOB_ERROR),
    *(LogEvent.GROUP_INFO, LogEvent.GROUP_ERROR, LogEvent.PROGRESS, LogEvent.RUN_INFO),
    *(LogEvent.SHELLCMD, "catalog", "ended"),
)
# Said for each round of scheduling.
CHATTER = ("", "None", "Select jobs to execute...")
# With which Snakemake says that nothing more begins.
ENDING = ("Terminating processes on user request", "Will exit after", "Shutting down")


class LogHandler(LogHandlerBase):
    """Follows a run and shows it."""

    writes_to_stream = True
    writes_to_file = False
    # What is quiet counts all the same.
    has_filter = True
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self) -> None:
        from rich.console import Console
        from snakemake.logging import DefaultFilter
        from snakemake.settings.enums import Quietness

        from .progress import Progress
        from .view import View

        settings = self.common_settings
        stream = sys.stdout if settings.stdout else sys.stderr
        self.console = Console(
            file=stream, highlight=False, markup=False, no_color=settings.nocolor or None
        )
        self.said = DefaultFilter(
            settings.quiet,
            settings.debug_dag,
            settings.verbose,
            settings.dryrun,
            settings.printshellcmds,
        )
        quiet = set(settings.quiet or ())
        self.is_silent = Quietness.ALL in quiet
        self.is_shown = not settings.dryrun and not quiet & {Quietness.ALL, Quietness.PROGRESS}
        self.progress = Progress()
        self.config: Any = {}
        self.record: OwnRecord | None = None
        self.following = RLock()
        self.view = View(self.console, self.progress, self.following, PLAIN_SECONDS)

    def emit(self, record: logging.LogRecord) -> None:
        """Take one message or event."""
        try:
            self._take(record)
        except Exception:
            # Else the thread that calls this would end, and with it all that Snakemake says.
            self.handleError(record)

    def close(self) -> None:
        """Show what has become of the run."""
        with self.following:
            self.progress.poll()
        self.view.stop()
        super().close()

    def _take(self, record: logging.LogRecord) -> None:
        event = getattr(record, "event", None)
        dryrun = self.common_settings.dryrun
        if (dryrun or event not in SHOWN) and self.said.filter(record):
            self._say(record)
        if dryrun:
            return
        # The view reads the progress from a thread of its own: what is printed must not wait for
        # that one while it holds the progress.
        with self.following:
            failures = self._follow(event, vars(record))
        for failure in () if self.is_silent else failures:
            self.view.tell(failure)
        if self.is_shown and event == LogEvent.WORKFLOW_STARTED:
            self.view.start()

    def _follow(self, event: Any, values: dict[str, Any]) -> list[Failure]:
        progress, record = self.progress, self.record
        if event == "catalog":
            progress.rules, progress.former = values["rules"], values["former"]
            self.config = values["config"]
        elif event == LogEvent.RUN_INFO and values.get("stats"):
            progress.begin(values["stats"])
            self._keep_record()
        elif event == LogEvent.GROUP_INFO:
            rules = sorted(job.rule.name for job in values["jobs"])
            # Its own id is that of one of its jobs.
            progress.members |= {job.uuid(): rules for job in values["jobs"]}
            if record:
                record.groups |= dict.fromkeys(rules, values["group_id"])
        elif event == LogEvent.JOB_INFO:
            progress.start(values["jobid"], values["rule_name"], values["local"])
            if record:
                record.start(values)
        elif event == LogEvent.JOB_FINISHED:
            began = progress.finish(values["job_id"])
            if record:
                record.end(values["job_id"], began, ok=True)
        elif event == LogEvent.JOB_ERROR and not values["indent"]:
            return self._fail([values], None)
        elif event == LogEvent.GROUP_ERROR:
            return self._fail(values["job_error_info"], values["groupid"])
        elif event == "ended":
            self._close_record(values["ok"])
            values["heard"].set()
        elif "dask_run" in values:
            progress.follow(**values["dask_run"])
        elif event is None and str(values["msg"]).startswith(ENDING):
            progress.stopping = True
        return []

    def _fail(self, infos: list[dict[str, Any]], group: str | None) -> list[Failure]:
        """Count the jobs that failed, one or all of a group; return what is to be told."""
        began = {info["jobid"]: self.progress.started.get(info["rule_name"]) for info in infos}
        logs = {info["rule_name"]: tuple(info["log"] or ()) for info in infos}
        if group:
            told = self.progress.fail_group(group, logs)
        else:
            said = {info["rule_name"]: info.get("rule_msg") or "" for info in infos}
            told = [self.progress.fail(rule, logs[rule], said[rule]) for rule in logs]
        errors = {failure.rule: failure.error for failure in told}
        if self.record:
            for info in infos:
                error = errors.get(info["rule_name"], told[0].error)
                self.record.end(info["jobid"], began[info["jobid"]], ok=False, error=error)
        return told

    def _keep_record(self) -> None:
        from .record import OwnRecord

        folder = getattr(self.settings, "records", None)
        if folder and not self.progress.is_recorded:
            self.record = OwnRecord(Path(folder), self.progress.jobs.total(), self.config)

    def _close_record(self, ok: bool) -> None:
        if self.record:
            # Snakemake doesn't say why it ends when nothing has failed.
            stopped = "failed" if self.progress.failures else "interrupted"
            self.record.close("succeeded" if ok else stopped)

    def _say(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if text not in CHATTER or self.common_settings.dryrun:
            style = "red" if record.levelno >= logging.ERROR else None
            self.console.print(text, style=style, soft_wrap=True)
