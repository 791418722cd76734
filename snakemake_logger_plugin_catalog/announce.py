"""What a workflow tells the view of its rules."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import NamedTuple


class Rule(NamedTuple):
    """What a rule is counted with."""

    folder: str
    operator: str


def announce(logger: logging.Logger, rules: Mapping[str, Rule]) -> None:
    """Say what each rule is counted with; without it all rules are counted together."""
    logger.info("", extra={"event": "catalog", "rules": dict(rules)})
