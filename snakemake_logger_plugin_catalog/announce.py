"""What a workflow tells the view of itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

# How long a run waits at its end for the view, which may be busy with thousands of events.
PATIENCE_SECONDS = 30.0


class Rule(NamedTuple):
    """What a rule is counted with, and the rules without whose results it can't run."""

    folder: str
    operator: str
    parents: tuple[str, ...] = ()


def announce(
    logger: logging.Logger,
    rules: Mapping[str, Rule],
    config: Mapping[str, Any],
    former: Callable[[], Mapping[str, float]],
) -> None:
    """Say what each rule is counted with; without it all rules are counted together.

    `config` goes to the record of the run. `former` is called when there is something to run: how
    many seconds rules took in former runs.
    """
    about = {"rules": dict(rules), "config": config, "former": former}
    logger.info("", extra={"event": "catalog", **about})


def wait_for_view(logger: logging.Logger, handlers: Iterable[logging.Handler], ok: bool) -> None:
    """Say that the run has ended, and wait until the view has recorded all of it."""
    from . import LogHandler

    if any(isinstance(handler, LogHandler) for handler in handlers):
        heard = threading.Event()
        logger.info("", extra={"event": "ended", "ok": ok, "heard": heard})
        heard.wait(PATIENCE_SECONDS)
