"""Keeps as many Slurm jobs with workers as are wanted: submits, watches, replaces, ends them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from distributed import Scheduler, SchedulerPlugin
from distributed.scheduler import WorkerState

from . import commands
from .commands import QueuedJob, SlurmError
from .script import Shape

logger = logging.getLogger(__name__)

POLL_SECONDS = 5.0
# A job that isn't needed is kept for so long, in case it is again.
IDLE_SECONDS = 60.0
# So many jobs in a row that ended before a worker of theirs was there are enough.
FAILURES = 3
# Before its time limit a job is replaced: another is asked for, then it is given no more work, and
# at last what it still runs is given to others. Shares of the limit, and at most so long before.
REPLACE, DRAIN, LEAVE = 1 / 4, 1 / 8, 1 / 16
REPLACE_SECONDS = 600.0


class GiveUpError(RuntimeError):
    """There is no use in submitting any more jobs."""


@dataclass
class Member:
    """A Slurm job that was submitted, and what became of it."""

    id: str
    worker: str
    needed: float = field(default_factory=time.monotonic)
    joined: bool = False
    replaced: bool = False
    drained: bool = False
    left: bool = False


class Supervisor(SchedulerPlugin):  # type: ignore[misc]
    """Looks at Slurm's queue and at the scheduler every few seconds.

    `submit(worker)` submits a job whose workers have names that begin with `worker`; `tell(level,
    text)` is for people.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        name: str,
        shape: Shape,
        limits: tuple[int, int],
        submit: Callable[[str], str],
        tell: Callable[[str, str], None],
        logs: Path,
    ) -> None:
        self.scheduler = scheduler
        self.name = name
        self.shape = shape
        self.minimum, self.maximum = limits
        self.submit = submit
        self.tell = tell
        self.logs = logs
        self.members: dict[str, Member] = {}
        self.names = (f"{name}-{number}" for number in itertools.count(1))
        self.failures = 0
        self.refusal = ""
        self.told = ""
        self.background: set[asyncio.Task[object]] = set()

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        """Note that a job has come to something. Called by the scheduler."""
        for member in self.members.values():
            if self.scheduler.workers[worker] in self._workers(member):
                member.joined, self.failures = True, 0

    async def run(self) -> None:
        """Supervise, until there is no use any more. Raises GiveUpError then."""
        self.scheduler.add_plugin(self, name="slurm")
        while True:
            try:
                queue = await asyncio.to_thread(commands.queue, self.name)
            except SlurmError as error:
                # A controller that doesn't answer is no reason to stop what runs.
                logger.warning("squeue: %s", error)
            else:
                await self._look(queue)
            await asyncio.sleep(POLL_SECONDS)

    async def fill(self) -> None:
        """Submit what is missing. Raises SlurmError if Slurm refuses."""
        for _ in range(self._wanted() - self._alive()):
            worker = next(self.names)
            id_ = await asyncio.to_thread(self.submit, worker)
            self.members[id_] = Member(id_, worker)

    async def _look(self, queue: list[QueuedJob]) -> None:
        """Do what is to be done now."""
        jobs = {job.id: job for job in queue}
        for member in list(self.members.values()):
            job = jobs.get(member.id)
            if job is None or job.ended:
                self._ended(member, job)
            else:
                await self._attend(member, job)
        self._tell_state([job for job in queue if job.id in self.members])
        try:
            if self.failures < FAILURES:
                await self.fill()
                self.refusal = ""
        except SlurmError as error:
            if self.refusal != str(error):
                self.refusal = str(error)
                self.tell("warning", f"Slurm refuses another job: {error}")
        if not self.members and self._wanted():
            raise GiveUpError(self.refusal or f"{FAILURES} jobs in a row have had no worker.")

    async def _attend(self, member: Member, job: QueuedJob) -> None:
        """Do what a living job needs."""
        workers = self._workers(member)
        if job.running:
            self._mind_time_limit(member, job, workers)
        elif job.reason in commands.HOPELESS:
            await self._cancel(member)
            self._failed(f"Slurm will never start job {job.id}: {job.reason}")
            return
        if any(worker.processing for worker in workers):
            member.needed = time.monotonic()
        elif member.drained:
            await self._cancel(member)
        elif self._alive() <= self._wanted():
            member.needed = time.monotonic()
        elif time.monotonic() - member.needed > IDLE_SECONDS:
            await self._cancel(member)

    def _mind_time_limit(self, member: Member, job: QueuedJob, workers: list[WorkerState]) -> None:
        """Have a job replaced before Slurm ends it."""
        span = min(job.limit, REPLACE_SECONDS / REPLACE)
        if job.left < span * REPLACE and not member.replaced:
            member.replaced = True
            self.tell("info", f"Slurm job {job.id} may run for {job.left:.0f} s more: replaced.")
        if job.left < span * DRAIN and not member.drained:
            member.drained = True
            self._retire(workers, close=False)
        if job.left < span * LEAVE and not member.left:
            member.left = True
            self._retire(workers, close=True)

    def _ended(self, member: Member, job: QueuedJob | None) -> None:
        """Note that a job is over. The next `fill` replaces it, if that is wanted."""
        del self.members[member.id]
        state = job.state if job else "gone"
        where = f" on {job.node}" if job and job.node else ""
        if not member.joined:
            text = f"Slurm job {member.id}{where} has ended ({state}) without a worker"
            said = _tail(self.logs, member.id)
            self._failed(f"{text}:\n{said}" if said else text)
        elif not member.replaced:
            self.tell("warning", f"Slurm job {member.id}{where} was lost ({state}).")

    def _failed(self, text: str) -> None:
        self.failures += 1
        self.tell("warning", text)

    async def _cancel(self, member: Member) -> None:
        """End a job that isn't needed; when it has ended what it was given a moment ago."""
        workers = self._workers(member)
        member.replaced = member.drained = True
        await self._retire(workers, close=False)
        if any(worker.processing for worker in workers):
            return
        del self.members[member.id]
        with contextlib.suppress(SlurmError):
            await asyncio.to_thread(commands.cancel, member.id)

    def _retire(self, workers: list[WorkerState], close: bool) -> asyncio.Task[object]:
        """Give workers no more work; with `close`, have others do what they still run."""
        task = asyncio.create_task(
            self.scheduler.retire_workers(
                [worker.address for worker in workers], close_workers=close, remove=close
            )
        )
        self.background.add(task)
        task.add_done_callback(self.background.discard)
        return task

    def _workers(self, member: Member) -> list[WorkerState]:
        """Return a job's workers; Dask numbers them if they are several."""
        return [
            worker
            for worker in self.scheduler.workers.values()
            if worker.name == member.worker or str(worker.name).startswith(f"{member.worker}-")
        ]

    def _alive(self) -> int:
        """Return how many jobs there are, without those that end soon."""
        return sum(not member.replaced for member in self.members.values())

    def _wanted(self) -> int:
        """Return how many jobs there should be: as many as what is out needs, within limits."""
        if self.minimum == self.maximum:
            return self.maximum
        threads = mem_mb = 0.0
        for task in self.scheduler.tasks.values():
            if task.state in ("processing", "no-worker", "queued", "waiting"):
                needs = task.resource_restrictions or {}
                threads += needs.get("threads", 1)
                mem_mb += needs.get("mem_mb", 0)
        shape = self.shape
        workers = max(threads / shape.threads, mem_mb / shape.mem_mb)
        return min(self.maximum, max(self.minimum, math.ceil(workers / shape.workers)))

    def _tell_state(self, queue: list[QueuedJob]) -> None:
        """Say what has changed since this was said last."""
        reasons = Counter(job.reason for job in queue if not job.running)
        waiting = "".join(f", {count} waiting ({reason})" for reason, count in reasons.items())
        waiting = waiting.replace(" (None)", "")  # which Slurm hasn't looked at yet
        running = sum(job.running for job in queue)
        text = f"Slurm: {len(queue)} jobs asked for, {running} running{waiting}"
        if text != self.told and queue:
            self.told = text
            self.tell("info", text)


def _tail(logs: Path, job: str, lines: int = 10) -> str:
    """Return the end of what a job has said."""
    text = "".join(path.read_text(errors="replace") for path in sorted(logs.glob(f"*-{job}.*")))
    return "\n".join(text.splitlines()[-lines:])
