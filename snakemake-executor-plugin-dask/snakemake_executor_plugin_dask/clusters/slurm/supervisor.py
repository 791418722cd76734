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
from .commands import BusyError, QueuedJob, SlurmError
from .script import Shape

logger = logging.getLogger(__name__)

POLL_SECONDS = 5.0
# A job that isn't needed is kept for so long, in case it is again.
IDLE_SECONDS = 60.0
# So many jobs in a row that ended before a worker of theirs was there are enough, unless others
# have workers: then it is tried again, after pauses that double from the first to the longest.
FAILURES = 3
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 30.0, 600.0
# So long Slurm may be too busy to take a job when there are no others.
PATIENCE_SECONDS = 300.0
# Before its time limit a job is replaced: another is asked for, then it is given no more work, and
# at last what it still runs is given to others. Shares of the limit, and at most so long before.
REPLACE, DRAIN, LEAVE = 1 / 4, 1 / 8, 1 / 16
REPLACE_SECONDS = 600.0
# Where jobs wait longer in the queue, the other is asked for earlier, but not before half the time.
EARLIEST = 1 / 2


class GiveUpError(RuntimeError):
    """There is no use in submitting any more jobs."""


@dataclass
class Member:
    """A Slurm job that was submitted, and what became of it."""

    id: str
    worker: str
    submitted: float = field(default_factory=time.monotonic)
    needed: float = field(default_factory=time.monotonic)
    begun: bool = False
    held: bool = False
    joined: bool = False
    replaced: bool = False
    drained: bool = False
    left: bool = False


class Supervisor(SchedulerPlugin):  # type: ignore[misc]
    """Looks at Slurm's queue and at the scheduler every few seconds.

    `write(worker, avoid)` returns the script of a job whose workers have names that begin with
    `worker`, and which goes to none of the nodes to avoid; `tell(level, text)` is for people.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        name: str,
        shape: Shape,
        limits: tuple[int, int],
        write: Callable[[str, set[str]], str],
        tell: Callable[[str, str], None],
        logs: Path,
    ) -> None:
        self.scheduler = scheduler
        self.name = name
        self.shape = shape
        self.minimum, self.maximum = limits
        self.write = write
        self.tell = tell
        self.logs = logs
        self.members: dict[str, Member] = {}
        self.names = (f"{name}-{number}" for number in itertools.count(1))
        self.submitted: set[str] = set()
        self.failures = 0
        self.resume = 0.0
        # Nodes on which a job has come to nothing.
        self.avoid: set[str] = set()
        self.waited = 0.0
        self.busy_since: float | None = None
        self.refusal = ""
        self.told = ""
        self.background: set[asyncio.Task[object]] = set()

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        """Note that a job has come to something. Called by the scheduler."""
        for member in self.members.values():
            if self.scheduler.workers[worker] in self._workers(member):
                member.joined, self.failures, self.resume = True, 0, 0.0

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

    async def begin(self) -> None:
        """Submit the first jobs, or ask whether Slurm would take one.

        Raises SlurmError if it refuses.
        """
        while True:
            try:
                if self._wanted():
                    await self._fill()
                else:
                    script = self.write(next(self.names), set())
                    self.submitted.add(await asyncio.to_thread(commands.check, script))
                return
            except BusyError as error:
                self._refused(error)
                if not self._patient():
                    raise
            await asyncio.sleep(POLL_SECONDS)

    async def _fill(self) -> None:
        """Submit what is missing. Raises SlurmError if Slurm refuses."""
        for _ in range(self._wanted() - self._alive()):
            worker = next(self.names)
            id_ = await asyncio.to_thread(self._submit, worker)
            self.submitted.add(id_)
            self.members[id_] = Member(id_, worker)
        self.refusal, self.busy_since = "", None

    def _submit(self, worker: str) -> str:
        try:
            return commands.submit(self.write(worker, self.avoid))
        except BusyError:
            raise
        except SlurmError:
            if not self.avoid:
                raise
        # Perhaps because no node is left. They may be better now.
        self.avoid.clear()
        return commands.submit(self.write(worker, self.avoid))

    async def _look(self, queue: list[QueuedJob]) -> None:
        """Do what is to be done now."""
        jobs = {job.id: job for job in queue}
        for member in list(self.members.values()):
            job = jobs.get(member.id)
            if job is None or job.ended:
                await self._ended(member, job)
            else:
                await self._attend(member, job)
        self._tell_state([job for job in queue if job.id in self.members])
        await self._cancel_strays(queue)
        try:
            if time.monotonic() >= self.resume:
                await self._fill()
        except SlurmError as error:
            self._refused(error)
        if not self.members and self._wanted() and not self._patient():
            raise GiveUpError(self.refusal or f"{FAILURES} jobs in a row have had no worker.")

    def _refused(self, error: SlurmError) -> None:
        """Say so, once; note since when Slurm is only busy."""
        if not isinstance(error, BusyError):
            self.busy_since = None
        elif self.busy_since is None:
            self.busy_since = time.monotonic()
        if self.refusal != str(error):
            self.refusal = str(error)
            does = "is too busy for" if isinstance(error, BusyError) else "refuses"
            self.tell("warning", f"Slurm {does} another job: {error}")

    def _patient(self) -> bool:
        """Whether Slurm may take a job later."""
        since = self.busy_since
        return since is not None and time.monotonic() - since < PATIENCE_SECONDS

    async def _cancel_strays(self, queue: list[QueuedJob]) -> None:
        """End jobs that Slurm has taken and said that it hasn't."""
        strays = [job.id for job in queue if not job.ended and job.id not in self.submitted]
        if strays:
            with contextlib.suppress(SlurmError):
                await asyncio.to_thread(commands.cancel, *strays)

    async def _attend(self, member: Member, job: QueuedJob) -> None:
        """Do what a living job needs."""
        workers = self._workers(member)
        if job.running:
            if not member.begun:
                member.begun = True
                self.waited = max(self.waited, time.monotonic() - member.submitted)
            self._mind_time_limit(member, job, workers)
        elif job.hopeless:
            await self._cancel(member)
            self._failed(f"Slurm will never start job {job.id}: {job.reason}")
            return
        elif job.held and not member.held:
            member.held = True
            text = f"Slurm job {job.id} is held ({job.reason}): it waits for scontrol release."
            self.tell("warning", text)
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
        lead = max(span * REPLACE, min(self.waited, job.limit * EARLIEST))
        if job.left < lead and not member.replaced:
            member.replaced = True
            self.tell("info", f"Slurm job {job.id} may run for {job.left:.0f} s more: replaced.")
        if job.left < span * DRAIN and not member.drained:
            member.drained = True
            self._retire(workers, close=False)
        if job.left < span * LEAVE and not member.left:
            member.left = True
            self._retire(workers, close=True)

    async def _ended(self, member: Member, job: QueuedJob | None) -> None:
        """Note that a job is over. It is replaced, if that is wanted."""
        del self.members[member.id]
        # A node may hang, and its connections stay.
        for worker in self._workers(member):
            await self.scheduler.remove_worker(worker.address, stimulus_id=f"slurm-{member.id}")
        state = job.state if job else "gone"
        where = f" on {job.node}" if job and job.node else ""
        if not member.joined:
            text = f"Slurm job {member.id}{where} has ended ({state}) without a worker"
            said = _tail(self.logs, member.id)
            self._failed(f"{text}:\n{said}" if said else text)
            if job and job.node and job.state != "CANCELLED":
                self.avoid.add(job.node)
        elif not member.replaced:
            self.tell("warning", f"Slurm job {member.id}{where} was lost ({state}).")

    def _failed(self, text: str) -> None:
        """Note that a job has come to nothing, and wait longer and longer if that goes on."""
        self.failures += 1
        self.tell("warning", text)
        if (more := self.failures - FAILURES) >= 0:
            pause = min(PAUSE_SECONDS * 2**more, LONGEST_PAUSE_SECONDS)
            self.resume = time.monotonic() + pause

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
