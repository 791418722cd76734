"""What the workers offer, as they come and go."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

Offer = dict[str, float]


class Machines:
    """The workers of a run by their addresses, and what they offer: threads, MB, named resources.

    `planned` is what workers will offer that are not there yet.
    """

    def __init__(self, planned: list[Offer]) -> None:
        self.planned = planned
        self.present: dict[str, Offer] = {}
        # Each once, also those of workers that are gone: they may come again.
        self.kinds: list[Offer] = []
        self.lock = threading.Condition()
        self._offered = 0.0
        self._since = time.monotonic()
        for offer in planned:
            self._note(offer)

    def join(self, address: str, offer: Mapping[str, float]) -> None:
        """Note what a worker offers."""
        with self.lock:
            self._count()
            self.present[address] = dict(offer)
            self._note(dict(offer))
            self.lock.notify_all()

    def leave(self, address: str) -> None:
        """Note that a worker is gone."""
        with self.lock:
            self._count()
            self.present.pop(address, None)

    def leave_all(self) -> None:
        """Note that all workers are gone, with their scheduler."""
        for address in list(self.present):
            self.leave(address)

    def wait(self, seconds: float) -> bool:
        """Wait until there is a worker. Whether that is so."""
        with self.lock:
            return self.lock.wait_for(lambda: self.present, seconds) != {}

    @property
    def all(self) -> list[Offer]:
        """Return what is offered: what was planned, if anything was, else what is there."""
        return self.planned or list(self.present.values())

    @property
    def thread_seconds(self) -> float:
        """Return for how long threads were there until now, summed over all threads."""
        with self.lock:
            self._count()
            return self._offered

    def _note(self, offer: Offer) -> None:
        if offer not in self.kinds:
            self.kinds.append(offer)

    def _count(self) -> None:
        now = time.monotonic()
        threads = sum(offer.get("threads", 0) for offer in self.present.values())
        self._offered += threads * (now - self._since)
        self._since = now
