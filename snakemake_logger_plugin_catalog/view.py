"""What is seen of a run: live tables on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, suppress
from typing import Any

from rich.console import Console
from rich.live import Live

from .progress import Failure, Progress
from .tables import failed, summary, tables

FRAME_SECONDS = 1.0


class View:
    """Shows a run's progress on a console, until `stop`.

    `lock` is held while the progress is read. It shows in a thread of its own, so that it goes on
    while nothing ends. Without a terminal there is a line every so many seconds."""

    def __init__(
        self, console: Console, progress: Progress, lock: AbstractContextManager[Any], every: float
    ) -> None:
        self.console = console
        self.progress = progress
        self.lock = lock
        self.every = every
        self.live: Live | None = None
        self.size = console.size
        self.thread: threading.Thread | None = None
        self.stopped = threading.Event()

    def start(self) -> None:
        """Begin to show."""
        if self.thread:
            return
        self.thread = threading.Thread(target=self._show, name="view", daemon=True)
        self.thread.start()

    def tell(self, failure: Failure) -> None:
        """Say that a job has failed."""
        self.console.print(failed(failure), soft_wrap=True)

    def stop(self) -> None:
        """Say how the run has ended, with all failures."""
        if not self.thread:
            return
        self.stopped.set()
        self.thread.join()
        self.thread = None
        if not self.progress.began:
            return
        self._tell_failures()
        self.console.print(summary(self.progress, ended=True), soft_wrap=True)

    def _tell_failures(self) -> None:
        for failure in list(self.progress.failures.values()):
            self.tell(failure)

    def _show(self) -> None:
        try:
            if self.console.is_terminal:
                while not self.stopped.wait(FRAME_SECONDS):
                    self._draw()
            else:
                while not self.stopped.wait(self.every):
                    self._write_line()
        except Exception as error:
            # The run is worth more than its view.
            with suppress(Exception):
                self.console.print(f"The view ends here: {type(error).__name__}: {error}")
        finally:
            if self.live:
                self.live.stop()

    def _write_line(self) -> None:
        with self.lock:
            self.progress.poll()
            line = summary(self.progress)
        self.console.print(line, soft_wrap=True)

    def _draw(self) -> None:
        # What another thread prints has the console's lock and may wait for that of the progress:
        # never both here.
        with self.lock:
            self.progress.poll()
            width, height = self.console.size
            shown = tables(self.progress, width, height)
        if self.live and self.size != (width, height):
            # A terminal breaks the lines of the last frame anew, so that nobody knows how many
            # there are now.
            self.live.stop()
            self.live = None
            self.console.clear()
            self._tell_failures()
        self.size = self.console.size
        if self.live is None:
            self.live = Live(
                console=self.console,
                auto_refresh=False,
                transient=True,
                vertical_overflow="crop",
            )
            self.live.start()
        self.live.update(shown, refresh=True)
