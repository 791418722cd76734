"""The executor: gives Snakemake's jobs to Dask, and tells Snakemake how they ended."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import secrets
import shlex
import shutil
import signal
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.real import RealExecutor
from snakemake_interface_executor_plugins.settings import ExecMode

from . import handover, owner
from .accounting import Account
from .records import Records
from .task import Submission

if TYPE_CHECKING:
    from .handover import Identity
    from .session import Session
    from .task import Outcome

# Where Snakemake was started. With `--directory` it goes elsewhere before it has a workflow.
START = Path.cwd()
# Jobs are prepared and sent in parts: a small one first, so that the workers have something to do.
FIRST_PART = 16
PART = 128
# What every script needs of Snakemake.
SNAKEMAKE_MODULES = ("snakemake.iocontainers", "snakemake.logging")


class Executor(RealExecutor):  # type: ignore[misc]
    """Runs jobs on Dask workers. Dask holds the queue and says when a job has ended."""

    def __post_init__(self) -> None:
        """Start the cluster now if there is anything for it to do, else when there is."""
        self.session: Session | None = None
        self.batch: list[Submission] = []
        self.account = Account()
        self.records: Records | None = None
        # Where outputs were written, and how large they are: jobs go where their input is.
        self.places: dict[str, tuple[str, int]] = {}
        # What was handed over for which file, and what the file was then, is now.
        self.handed: dict[str, tuple[str, Identity]] = {}
        if any(not job.is_local for job in self.dag.needrun_jobs()):
            self._start()

    @property
    def cores(self) -> Any:
        """Return the cores of a child Snakemake; `get_job_args` knows better."""
        return "all"

    def get_exec_mode(self) -> ExecMode:
        """Return that a child Snakemake runs on behalf of another."""
        return ExecMode.REMOTE

    def get_python_executable(self) -> str:
        """Return the interpreter of a child Snakemake, whose name Snakemake adds."""
        return f"{shlex.quote(sys.executable)} -m {__package__}.errors_only"

    def get_job_exec_prefix(self, job: Any) -> str:
        """Return what brings a child Snakemake to the folder this one was started in."""
        return f"cd {shlex.quote(str(self.workflow.workdir_init))}"

    def additional_general_args(self) -> str:
        """Return what keeps a child Snakemake from saying what this one says."""
        return "--quiet progress rules host"

    def get_job_args(self, job: Any, **kwargs: Any) -> str:
        """Return the job's arguments to a child Snakemake, which gets the job's cores."""
        assert self.session
        cores = self.internals.threads(job, self.session.machines.kinds)
        return str(super().get_job_args(job, cores=cores, **kwargs))

    def run_jobs(self, jobs: list[Any]) -> None:
        """Give jobs to Dask."""
        self._start()
        self._take_over_scheduler()
        end = 0
        while end < len(jobs):
            begin, end = end, end + (PART if end else FIRST_PART)
            part = jobs[begin:end]
            if self.refusing:
                for job in part:
                    self.internals.withdraw(self.workflow, job, begun=False)
                continue
            self.translator.prepare(part)
            super().run_jobs(part)
            self._submit_batch()

    def run_job(self, job: Any) -> None:
        """Make a job's task, to be submitted with the rest of its part."""
        assert self.session
        if self.refusing:
            self.internals.withdraw(self.workflow, job, begun=False)
            return
        info = SubmittedJobInfo(job=job)
        # One prefix for all: Dask's work for each event grows with the number of prefixes. The rest
        # is unique on a cluster that several runs use.
        key = f"job-{self.folder.name}-{job.jobid}-{job.attempt}"
        try:
            # Raises if no worker has them.
            needs = self.internals.resources(job, self.session.machines.kinds)
            if self.translator.is_warm(job):
                task = self.translator.warm_task(job, key, self._handed_to(job), self._is_read(job))
            else:
                task = self.translator.command_task(job, key, self.format_job_exec(job))
        except WorkflowError as error:
            self.report_job_error(info, msg=str(error))
            return
        # Marks the output as incomplete, which has to be done before the job can begin.
        self.report_job_submission(info)
        if self.records:
            self.records.submit(job)
        self.batch.append(Submission(job, task, needs, job.priority, self._place(job, needs)))

    def _submit_batch(self) -> None:
        if self.session and self.batch:
            batch, self.batch = self.batch, []
            self.session.submit(batch)

    def handle_job_success(self, job: Any) -> None:
        """Learn the times that Snakemake has given to files for which a frame is kept."""
        for file in job.output if self.handed else ():
            path = os.path.realpath(file)
            if known := self.handed.pop(path, None):
                entry, before = known
                # A time that no other write can give it, and that nothing else has changed.
                now = handover.identify(path) if handover.stamp(path) else None
                if now and now[:2] == before[:2]:
                    self.handed[path] = (entry, now)

    def handle_job_error(self, job: Any) -> None:
        """Take back what has not begun, if Snakemake is about to stop because of this failure."""
        if self.session and self._ends_the_run(job):
            self.refusing = True
            self._in_background(self.session.withdraw_queued)

    def _ends_the_run(self, job: Any) -> bool:
        """Whether Snakemake begins no more jobs after a failure of this one."""
        keep_going = self.workflow.execution_settings.keep_going
        return not keep_going and bool(job.restart_times <= job.attempt - 1)

    def shutdown(self) -> None:
        """End the run."""
        if not (session := self.session):
            return
        self.session = None
        atexit.unregister(self.shutdown)
        if self.sigterm is not None:
            signal.signal(signal.SIGTERM, self.sigterm)
        self.logger.info(self.account.summary(session.machines.thread_seconds))
        if self.records:
            self.records.end(self._outcome(), **self.account.totals())
        session.close()
        log = session.log
        if self.account.failed and log.exists() and log.stat().st_size:
            self.logger.info(f"Dask's log: {log}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _outcome(self) -> Literal["succeeded", "failed", "interrupted"]:
        """Return how the run has ended."""
        if self.stopping:
            return "interrupted"
        return "succeeded" if self.internals.is_done(self.workflow) else "failed"

    def cancel(self) -> None:
        """End the run early. What has not begun is withdrawn; what runs may finish."""
        if not (session := self.session):
            return
        # Snakemake cancels because of its own errors, too.
        self.stopping |= isinstance(sys.exception(), KeyboardInterrupt | SystemExit)
        try:
            self._submit_batch()
            queued = session.withdraw_queued()
            self.logger.info(
                f"Withdrew {queued} jobs that had not begun. {len(session.out)} jobs are running "
                "and may finish; interrupt again to end them now."
            )
            session.wait()
        except KeyboardInterrupt:
            self.logger.info("Ending the running jobs.")
            session.withdraw_all()
        self.internals.settle(self.workflow.scheduler)
        self.shutdown()

    def _start(self) -> None:
        """Make the cluster and all that belongs to a run."""
        if self.session:
            return
        from . import clusters

        settings = self.executor_settings
        run = secrets.token_hex(4)
        runs = owner.RUNS.absolute()
        if self.workflow.execution_settings.lock:
            # Nobody else works in this folder, so what is there is of runs that were killed.
            shutil.rmtree(runs, ignore_errors=True)
        self.folder = runs / run
        self.folder.mkdir(parents=True, mode=0o700)
        owner.note(self.folder)
        preload = [*SNAKEMAKE_MODULES, *_names(settings.preload)]
        request = clusters.Request(
            name=settings.cluster,
            folder=self.folder,
            threads=settings.threads or self._cores(),
            memory_mb=settings.memory_mb,
            preload=tuple(preload),
            workers=clusters.parse_workers(settings.workers),
            config=START / settings.config if settings.config else None,
            start=START,
        )
        cluster = clusters.connect(request)
        # While it starts: these import Dask and parts of Snakemake that only a run needs.
        from . import jobs
        from .session import Session
        from .worker import JobRunner

        self.internals = jobs
        self.sigterm: Any = None
        self.stopping = False
        # Whether jobs that Snakemake still sends are given back to it.
        self.refusing = False
        optional = _names(type(settings).preload)
        limit = None if settings.handover_mb is None else settings.handover_mb * 2**20
        runner = JobRunner(run, preload, optional, limit, settings.jobs_per_process)
        self.session = Session(cluster, request.log, run, runner, self._ended)
        atexit.register(self.shutdown)
        self.translator = jobs.JobTranslator(self.workflow, self.folder, settings.lost_retries + 1)
        if settings.records:
            self.records = Records(Path(settings.records), run, self._described())
        # For logger plugins that show what the workers do: see `ledger.running`.
        dask_run = {
            "record": str(self.records.path) if self.records else None,
            "running": str(self.folder),
            "threads": sum(offer.get("threads", 0) for offer in self.session.machines.all),
        }
        described = self.session.cluster.describe()
        self.logger.info(f"Dask: {described}", extra={"dask_run": dask_run})
        jobs.limit_threads(self.workflow, self.session.machines.kinds)
        _keep_plan()

    def _cores(self) -> int | None:
        """Return what `--cores` asks for, if it is a number.

        Of `all` Snakemake makes the CPUs of the machine, which control groups and Slurm may limit.
        """
        from snakemake.utils import available_cpu_count

        cores: int | None = self.workflow.resource_settings.cores
        return None if cores == available_cpu_count() else cores

    def _described(self) -> dict[str, Any]:
        """Return what the record of the run says of it."""
        assert self.session
        return {
            "cluster": self.session.cluster.describe(),
            "machines": self.session.machines.all,
            "ledgers": str(self.folder),
            "jobs": sum(not job.is_local for job in self.dag.needrun_jobs()),
            "config": self.workflow.config,
        }

    def _take_over_scheduler(self) -> None:
        """Adapt Snakemake's scheduler, which is complete only after the executor."""
        if self.sigterm is not None:
            return
        self.internals.lift_rate_limit(self.workflow.scheduler)
        self.sigterm = signal.getsignal(signal.SIGTERM)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._on_sigterm)

    def _on_sigterm(self, *_: Any) -> None:
        """Let what runs finish; at the second signal, end it.

        Snakemake itself would wait for all that it has submitted.
        """
        assert self.session
        session, former = self.session, self.sigterm
        if self.stopping:
            self._in_background(session.withdraw_all)
            return
        self.stopping = self.refusing = True

        def stop() -> None:
            former(signal.SIGTERM, None)
            self._submit_batch()
            queued = session.withdraw_queued()
            self.logger.info(f"Withdrew {queued} jobs that had not begun.")

        self._in_background(stop)

    def _place(self, job: Any, needs: dict[str, float]) -> str | None:
        """Return the worker that has written a job's largest input, if there is a choice."""
        assert self.session
        machines = self.session.machines
        if len(machines.present) < 2:
            return None
        known = [self.places[file] for file in job.input if file in self.places]
        if not known:
            return None
        place, _ = max(known, key=lambda place: place[1])
        # Dask takes a preference as leave to run the job on any worker, whatever that has.
        suited = all(self.internals.suits(kind, needs) for kind in machines.kinds)
        return place if suited and place in machines.present else None

    def _handed_to(self, job: Any) -> dict[str, tuple[str, Identity]]:
        """Return what is kept of a job's inputs."""
        paths = [os.path.realpath(file) for file in job.input] if self.handed else []
        return {path: self.handed[path] for path in paths if path in self.handed}

    def _is_read(self, job: Any) -> bool:
        """Whether a job that is still to run reads what this one writes."""
        readers = self.dag.depending[job]
        return any(not reader.is_norun and self.dag.needrun(reader) for reader in readers)

    def _ended(self, submission: Submission, outcome: Outcome) -> None:
        """Tell Snakemake how a job has ended. Called in a thread of Dask's."""
        job, threads = submission.job, submission.resources["threads"]
        info = SubmittedJobInfo(job=job)
        if outcome.lost:
            self.internals.withdraw(self.workflow, job, begun=outcome.begun)
            return
        # Whatever goes wrong here, Snakemake has to hear of the job's end: it waits for it.
        try:
            self._take(outcome, job, threads)
        except Exception as error:
            outcome.ok = False
            outcome.error = f"Its end can't be dealt with: {error!r}\n{outcome.error}"
        if outcome.ok:
            self.report_job_success(info)
            return
        if outcome.error.strip() not in outcome.stderr.decode(errors="replace"):
            self.logger.error(f"{job.name}, jobid {job.jobid}: {outcome.error}")
        # Said now, as Snakemake's scheduler may be busy with sending more.
        self.refusing |= self._ends_the_run(job)
        self.report_job_error(info)

    def _take(self, outcome: Outcome, job: Any, threads: float) -> None:
        """Take what a job has printed and measured, and note what it has handed over."""
        for stream, text in ((sys.stdout, outcome.stdout), (sys.stderr, outcome.stderr)):
            _show(stream, text)
        try:
            for name, text in outcome.logs.items():
                Path(name).write_bytes(text)
            if outcome.ok and outcome.benchmark:
                self.internals.write_benchmark(self.workflow, job, outcome)
        except Exception as error:
            outcome.ok = False
            outcome.error = f"Its log or benchmark can't be written: {error}\n{outcome.error}"
        self.account.add(outcome, threads)
        if self.records:
            self.records.add(job, threads, outcome)
        if outcome.ok:
            for path, (entry, identity) in outcome.entries.items():
                if handover.identify(path) == identity:
                    self.handed[path] = (entry, identity)
            for file in job.output:
                # An object is as far from one worker as from the next.
                if not file.is_storage:
                    with contextlib.suppress(OSError):  # Snakemake will miss it
                        self.places[file] = (outcome.worker, Path(file).stat().st_size)

    @staticmethod
    def _in_background(function: Callable[[], Any]) -> None:
        """Call from a thread, where locks that the main thread holds can be waited for."""
        threading.Thread(target=function, daemon=True).start()


def _keep_plan() -> None:
    """Have the garbage collector look through the plan, which lasts as long as the run, no more."""
    from .child import flush, open_files

    files = [weakref.ref(file) for file in open_files()]
    # The interpreter's end doesn't find those any more that a workflow has never closed.
    atexit.register(lambda: flush(file for reference in files if (file := reference())))
    gc.freeze()


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _show(stream: TextIO, text: bytes) -> None:
    """Print what a job has printed, in the stream's encoding, if it is still open."""
    encoding = stream.encoding or "utf-8"
    with contextlib.suppress(OSError, ValueError):
        stream.write(text.decode(errors="replace").encode(encoding, "replace").decode(encoding))
        stream.flush()
