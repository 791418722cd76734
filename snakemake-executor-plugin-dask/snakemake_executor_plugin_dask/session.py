"""The main process's side of Dask: a cluster, a client, and the jobs that are out."""

from __future__ import annotations

import asyncio
import logging
import pickle
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import dask
from distributed import Client, KilledWorker
from snakemake.logging import logger
from snakemake_interface_common.exceptions import WorkflowError

from . import clusters, ledger
from .jobs import suits
from .ledger import LEASE_SECONDS
from .machines import Machines
from .task import Begun, Joined, Notice, Outcome, Submission, Task
from .worker import JobRunner, lost_too_often, plugin_name, run_job

# What isn't for the user's eyes goes to the run's log, `logger` is Snakemake's.
quiet_logger = logging.getLogger(__name__)

CONNECT_SECONDS = 30.0
WORKER_SECONDS = 120.0
# After which it is said that a worker is waited for.
PATIENCE_SECONDS = 5.0
# After which a job that began in the moment it was withdrawn has noted so.
SETTLE_SECONDS = 0.3
# A script's own use of Dask is no business of the client's, and vice versa.
CONFIG = {
    "distributed.comm.timeouts.connect": f"{CONNECT_SECONDS}s",
    "distributed.admin.large-graph-warning-threshold": "1GB",
    "distributed.client.heartbeat": "10s",
}


class Session:
    """Keeps jobs on a cluster until they end, whatever becomes of workers and scheduler.

    `on_end(submission, outcome)` is called once for each job, from one thread. An outcome that
    is `lost` is of a job that was withdrawn.
    """

    def __init__(
        self,
        cluster: clusters.Cluster,
        log: Path,
        run: str,
        runner: JobRunner,
        on_end: Callable[[Submission, Outcome], None],
    ) -> None:
        self.run = run
        self.runner = runner
        self.on_end = on_end
        self.out: dict[str, Submission] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.noticed: set[str] = set()
        self.changed = threading.Condition()
        self.closing = False
        self.recovering = False
        self.cluster = cluster
        self.machines = Machines(cluster.machines())
        self.log = log
        self.quiet(log)
        dask.config.set(CONFIG)
        self.connect()

    def connect(self) -> None:
        """Connect to the cluster and tell its workers, present and future, how to run jobs."""
        try:
            self.cluster.wait()
            self.client = Client(
                self.cluster.address,
                timeout=CONNECT_SECONDS,
                set_as_default=False,
                security=self.cluster.security,
            )
            self.client.subscribe_topic(plugin_name(self.run), self._hear)
            self.client.subscribe_topic("all", self._hear_scheduler)
            self.client.register_plugin(self.runner)
            self._find_machines()
        except WorkflowError:
            self.cluster.close()
            raise
        except Exception as error:
            # Not reachable, no worker, or a worker without this package.
            self.cluster.close()
            reason = f"{type(error).__name__}: {error}"
            raise WorkflowError(f"Dask, {self.cluster.describe()}: {reason}") from error

    def submit(self, submissions: list[Submission]) -> None:
        """Give jobs to the cluster."""
        with self.changed:
            self.out |= {submission.task.name: submission for submission in submissions}
        self._send(submissions)

    def withdraw_queued(self) -> int:
        """Take back the jobs that haven't begun. Returns how many."""
        with self.changed:
            queued = [s for s in self.out.values() if self._keep_from_beginning(s)]
        self._cancel(queued)
        return len(queued)

    def withdraw_all(self) -> None:
        """Take back all jobs, and end those that run."""
        with self.changed:
            submissions = list(self.out.values())
        self._cancel(submissions)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until no job is out. Whether that is so."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self.changed:
            while self.out and (deadline is None or time.monotonic() < deadline):
                self.changed.wait(0.5)  # in short steps, so that Ctrl-C is heard
            return not self.out

    def close(self) -> None:
        """Let go of the cluster."""
        self.closing = True
        try:
            self.client.unregister_worker_plugin(plugin_name(self.run))
            self.client.close(timeout=5)
        except Exception as error:
            # The cluster may be gone already; there is nothing left to do about it.
            quiet_logger.info("closing: %s", error)
        self.cluster.close()

    def _send(self, submissions: list[Submission]) -> None:
        """Send jobs, those of the same needs together: most of the cost is for each message."""
        alike = defaultdict(list)
        for submission in submissions:
            resources = tuple(sorted(submission.resources.items()))
            alike[resources, submission.priority, submission.place].append(submission)
        for (resources, priority, place), batch in alike.items():
            tasks = [self._next_task(submission) for submission in batch]
            try:
                futures = self.client.map(
                    run_job,
                    [self.run] * len(batch),
                    tasks,
                    key=[task.name for task in tasks],
                    resources=dict(resources),
                    priority=priority,
                    workers=[place] if place else None,
                    allow_other_workers=bool(place),
                    pure=False,
                )
            except Exception as error:
                # The connection is lost in this moment; whoever restores it sends these jobs too.
                quiet_logger.info("%s jobs not sent: %s", len(batch), error)
                self._recover()
                return
            sent = list(zip(batch, futures, strict=True))
            for submission, future in sent:
                submission.future = future
            self.client.loop.add_callback(self._listen, sent)

    def _listen(self, sent: list[tuple[Submission, Any]]) -> None:
        """Have the ends of jobs told. In the client's thread, which each callback would wake."""
        for submission, future in sent:
            future.add_done_callback(partial(self._ended, submission))

    @staticmethod
    def _keep_from_beginning(submission: Submission) -> bool:
        """Whether that is still possible. Without a ledger, one may begin before it hears of it."""
        path = submission.task.ledger
        return not submission.begun if path is None else ledger.withdraw(path)

    @staticmethod
    def _next_task(submission: Submission) -> Task:
        """Return a job's task under a name that Dask doesn't know yet."""
        task, submission.sent = submission.task, submission.sent + 1
        return replace(task, name=f"{task.name}-{submission.sent}") if submission.sent > 1 else task

    def _hear(self, event: tuple[float, bytes]) -> None:
        """Hear what the workers say of themselves and their jobs.

        An outcome is kept until Dask says that its task has ended.
        """
        match pickle.loads(event[1]):
            case key, Outcome() as outcome:
                self.outcomes[key] = outcome
            case key, Begun():
                self._count_begin(key)
            case address, Joined(offer):
                self.machines.join(address, offer)
            case _, Notice(text) if text not in self.noticed:
                self.noticed.add(text)  # other workers have the same to say
                logger.warning(f"Dask, {text}")

    def _hear_scheduler(self, event: tuple[float, Any]) -> None:
        match event[1]:
            case {"action": "remove-worker", "worker": address}:
                self.machines.leave(address)
                # A cluster made for the run says itself what it waits for.
                if not self.machines.planned:
                    timer = threading.Timer(PATIENCE_SECONDS, self._tell_waiting)
                    timer.daemon = True
                    timer.start()

    def _tell_waiting(self) -> None:
        """Say how many jobs wait for a worker that can run them, if there is none any more."""
        with self.changed:
            present = list(self.machines.present.values())
            waiting = [
                submission
                for submission in self.out.values()
                if not any(suits(offer, submission.resources) for offer in present)
            ]
        if waiting and not self.closing:
            logger.warning(
                f"Dask, {self.cluster.describe()}: no worker is left that can run {len(waiting)} "
                "of the jobs; they wait for one to join."
            )

    def _count_begin(self, key: str) -> None:
        # Sent again, a task has one more part in its name.
        submission = self.out.get(key) or self.out.get(key.rpartition("-")[0])
        if submission is None:
            return
        submission.begun += 1
        if submission.begun > submission.task.starts:
            threading.Thread(target=self._give_up, args=[submission], daemon=True).start()

    def _give_up(self, submission: Submission) -> None:
        """End a job that takes its workers with it."""
        future, submission.future = submission.future, None
        if future is not None:
            self.client.cancel([future], force=True)
            error = lost_too_often(submission.task.starts)
            self._settle(submission, Outcome(ok=False, error=error))

    def _ended(self, submission: Submission, future: Any) -> None:
        """Deal with the end of a job. Called by Dask, in a thread of its own."""
        if future is not submission.future or submission.task.name not in self.out:
            return
        failure: BaseException | None = None
        try:
            # Mostly the outcome has been sent ahead, if its worker has not died just then.
            outcome = self.outcomes.pop(future.key, None) or future.result(CONNECT_SECONDS)
        except (Exception, asyncio.CancelledError) as error:
            failure = error
            outcome = Outcome(ok=False, error=f"{type(error).__name__}: {error}")
        if future is not submission.future:
            return  # the cluster was lost meanwhile, and the next one has the job
        # Dask counts jobs that were only waiting on a worker that died; the ledger doesn't. Of a
        # worker that was closed in good order, jobs are `lost`.
        if isinstance(failure, KilledWorker) or outcome.lost:
            self._send([submission])
        # With a scheduler that is lost in this moment, nobody answers.
        elif failure and (future.status == "cancelled" or isinstance(failure, TimeoutError)):
            if not self.closing:
                self._recover()
        else:
            self._settle(submission, outcome)

    def _settle(self, submission: Submission, outcome: Outcome) -> None:
        """Report the end of a job, once: it may end while it is withdrawn."""
        with self.changed:
            if submission.settled:
                return
            submission.settled = True
        if outcome.ok:
            self.cluster.jobs_done += 1
        try:
            self.on_end(submission, outcome)
        finally:
            submission.future = None
            # That of a job that was withdrawn keeps it from beginning yet.
            if submission.task.ledger and outcome.begun:
                Path(submission.task.ledger).unlink(missing_ok=True)
            with self.changed:
                self.out.pop(submission.task.name, None)
                self.changed.notify_all()

    def _cancel(self, submissions: list[Submission]) -> None:
        futures = [s.future for s in submissions if s.future]
        for submission in submissions:
            submission.future = None  # its end is no longer waited for
        try:
            self.client.cancel(futures, force=True)
        except Exception as error:
            quiet_logger.info("cancelling: %s", error)
        time.sleep(SETTLE_SECONDS)
        deadline = time.monotonic() + LEASE_SECONDS
        for submission in submissions:
            self._settle(submission, self._last_known(submission, deadline))

    @staticmethod
    def _last_known(submission: Submission, deadline: float) -> Outcome:
        """Return the end of a job that was withdrawn, once it writes no more."""
        while (record := ledger.read(submission.task.ledger)).open and time.monotonic() < deadline:
            time.sleep(0.02)
        return Outcome(ok=record.done, lost=not record.done, begun=record.starts > 0)

    def _recover(self) -> None:
        """Have all that is out run on a new cluster, or give it up."""
        with self.changed:
            if self.recovering or self.closing:
                return
            self.recovering = True
            for submission in self.out.values():
                submission.future = None  # what is still said of it comes too late
        threading.Thread(target=self._restore, name="dask-recovery", daemon=True).start()

    def _restore(self) -> None:
        logger.error("The Dask scheduler was lost.")
        self.machines.leave_all()
        reason = "the Dask scheduler was lost"
        try:
            self.client.close(timeout=2)
        except Exception as error:
            quiet_logger.info("closing: %s", error)
        try:
            restored = self.cluster.restart()
            if restored:
                self.connect()
        except WorkflowError as error:
            restored, reason = False, str(error)
        with self.changed:
            submissions = [one for one in self.out.values() if not one.settled]
            self.recovering = False
        if restored:
            self._send(submissions)
            return
        deadline = time.monotonic() + LEASE_SECONDS
        for submission in submissions:
            outcome = self._last_known(submission, deadline)
            outcome.lost, outcome.error = False, reason
            self._settle(submission, outcome)

    def _find_machines(self) -> None:
        """Look who is there; wait for the first one, if it isn't known what they will offer."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"]
        for address, worker in workers.items():
            # Others have just joined, and will say what they offer (see `JobRunner.setup`).
            if "threads" in worker["resources"]:
                self.machines.join(address, worker["resources"])
        if self.machines.planned or self.machines.wait(PATIENCE_SECONDS):
            return
        where, seconds = self.cluster.describe(), WORKER_SECONDS
        logger.info(f"Dask, {where}: no worker yet, waiting for {seconds:.0f} s.")
        if not self.machines.wait(WORKER_SECONDS):
            raise TimeoutError("no worker says what it offers")

    @staticmethod
    def quiet(log: Path) -> None:
        """Send what Dask has to say to the run's log."""
        handler = logging.FileHandler(log, delay=True)
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        for name in ("distributed", "distributed.client", "tornado", "asyncio", __package__ or ""):
            target = logging.getLogger(name)
            target.handlers = [handler]
            target.propagate = False
        if not sys.warnoptions:
            logging.captureWarnings(False)
