"""What a run has cost."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field

from .task import Outcome

UNITS = ("B", "kB", "MB", "GB", "TB")


@dataclass
class Account:
    """Sums over the jobs of a run. Times in seconds, sizes in bytes."""

    began: float = field(default_factory=time.monotonic)
    jobs: int = 0
    failed: int = 0
    thread_seconds: float = 0.0
    read: int = 0
    written: int = 0
    handed_over: int = 0

    def add(self, outcome: Outcome, threads: float) -> None:
        """Count a job that has ended."""
        self.jobs += 1
        self.failed += not outcome.ok
        self.thread_seconds += outcome.wall * max(threads, 0)
        self.read += outcome.read
        self.written += outcome.written
        self.handed_over += outcome.handed_over

    def totals(self) -> dict[str, float]:
        """Return the sums by their names."""
        return {name: value for name, value in asdict(self).items() if name != "began"}

    def summary(self, offered: float) -> str:
        """Return one line. `offered` is for how long the workers had threads, in seconds."""
        wall = time.monotonic() - self.began
        efficiency = self.thread_seconds / offered if offered else 0.0
        failed = f" ({self.failed} failed)" if self.failed else ""
        return (
            f"Dask: {self.jobs} jobs{failed} in {wall:.1f} s, {self.thread_seconds:.1f} s of "
            f"worker threads, {size(self.read)} read, {size(self.written)} written, "
            f"{size(self.handed_over)} handed over, efficiency {efficiency:.0%}"
        )


def size(count: float) -> str:
    """Return a number of bytes for people."""
    for unit in UNITS:
        if count < 1000 or unit == UNITS[-1]:
            break
        count /= 1000
    return f"{count:.3g} {unit}"
