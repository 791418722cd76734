"""What runs on a Dask worker: it takes tasks and has the fork server run them.

The worker never runs code of a workflow itself. A job can crash, hang or eat all memory, and only
the job is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import pickle
import resource
import shutil
import signal
import socket
import tempfile
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from distributed import Status, Worker, WorkerPlugin, get_worker

from . import handover, ledger, machine
from .child import TMPDIR_VARIABLES
from .forkserver import ForkServer, Ready, ServerLostError
from .process import Exit, tail
from .task import Begun, Joined, Notice, Outcome, Task

logger = logging.getLogger(__name__)

SERVER_STARTS = 3
EVENT_BYTES = 2**15
# How many files a process may open by default. A worker has some for each of its jobs.
OPEN_FILES, MOST_OPEN_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)
HEARTBEAT_SECONDS = ledger.LEASE_SECONDS / 6


def run_job(run: str, task: Task) -> Outcome:
    """Run a job on the worker this is called on. The function that Dask calls.

    The outcome is sent ahead as an event, which spares the main process to ask for the result.
    """
    worker = get_worker()
    if task.ledger is None:
        worker.log_event(plugin_name(run), pickle.dumps((task.name, Begun())))
    outcome: Outcome = worker.plugins[plugin_name(run)].run(task)
    message = pickle.dumps((task.name, outcome))
    if len(message) < EVENT_BYTES:
        worker.log_event(plugin_name(run), message)
    return outcome


def plugin_name(run: str) -> str:
    """Return the name under which a run's plugin is found on a worker."""
    return f"snakemake-{run}"


class JobRunner(WorkerPlugin):  # type: ignore[misc]
    """Keeps a fork server and a place for what is handed over, and runs jobs."""

    def __init__(
        self,
        run: str,
        preload: list[str],
        optional: list[str],
        handover_bytes: int | None,
        jobs_per_process: int,
    ) -> None:
        self.name = plugin_name(run)
        self.run_id = run
        self.preload = preload
        self.optional = optional
        self.handover_bytes = handover_bytes
        self.jobs_per_process = jobs_per_process

    async def setup(self, worker: Worker) -> None:
        """Start the fork server; tell the scheduler what this machine has."""
        self.worker = worker
        resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_OPEN_FILES, MOST_OPEN_FILES))
        self.lock = threading.Lock()
        # Once it is, what still runs or waits here is for other workers.
        self.ending = False
        memory = worker.memory_manager.memory_limit or machine.memory_bytes()
        self.space = HandoverSpace(self.run_id, self.handover_bytes, memory)
        self.server = self._new_server()
        self.watch = asyncio.create_task(self._watch())
        offered = worker.state.total_resources
        missing = {"threads": worker.state.nthreads, "mem_mb": memory // 2**20}
        missing = {name: value for name, value in missing.items() if name not in offered}
        if missing:
            await worker.set_resources(**missing)
            # The scheduler looks at jobs that found no worker when one changes its state.
            worker.status = Status.paused
            worker.status = Status.running
        joined = Joined(dict(worker.state.total_resources))
        worker.log_event(self.name, pickle.dumps((worker.address, joined)))

    async def teardown(self, worker: Worker) -> None:
        """End all jobs, and forget what was handed over."""
        self.ending = True
        self.watch.cancel()
        self.server.kill_all()
        await asyncio.to_thread(self.server.close)
        self.space.remove()

    def transition(self, key: str, start: str, finish: str, **_: Any) -> None:
        """Kill a job that the scheduler has withdrawn."""
        if start in ("executing", "long-running") and finish == "released":
            self.server.kill(key)

    def run(self, task: Task) -> Outcome:
        """Run a job, unless an earlier attempt has ended well."""
        began = time.monotonic()
        reason = ""
        for _ in range(SERVER_STARTS):
            if self.ending:
                return self._signed(Outcome(ok=False, lost=True), began)
            if task.ledger and (known := self._known_end(task, task.ledger)):
                return self._signed(known, began)
            server = self._living_server()
            try:
                outcome = (
                    self._run_once(server, task) if task.ledger else self._run_apart(server, task)
                )
                return self._signed(outcome, began)
            except ServerLostError as error:
                reason = str(error)
                logger.warning("%s: %s", task.name, reason)
        return self._signed(Outcome(ok=False, error=f"no process for the job: {reason}"), began)

    @staticmethod
    def _known_end(task: Task, path: str) -> Outcome | None:
        """Return how a job has ended before; else make room for another attempt."""
        record = ledger.wait_until_alone(path)
        if record.done:
            return Outcome(ok=True)
        if record.starts >= task.starts:
            return Outcome(ok=False, error=lost_too_often(record.starts))
        if record.starts:
            for output in task.outputs:
                _remove(Path(output))
        return None

    def _run_apart(self, server: ForkServer, task: Task) -> Outcome:
        """Run a job in a folder of its own, and take its logs from there."""
        with tempfile.TemporaryDirectory(prefix=f"{task.name}-") as name:
            folder = Path(name)
            for log in task.logs:
                (folder / log).parent.mkdir(parents=True, exist_ok=True)
            outcome = self._run_once(server, task, folder)
            for log in task.logs:
                with contextlib.suppress(OSError), (folder / log).open("rb") as file:
                    outcome.logs[log] = tail(file)
            return outcome

    def _run_once(self, server: ForkServer, task: Task, folder: Path | None = None) -> Outcome:
        outcome = Outcome(ok=True)
        repeats = task.benchmark_repeats
        for iteration in range(repeats or 1):
            exit_ = server.run(
                task.name,
                task.payload,
                ledger=task.ledger,
                # What is benchmarked is measured by its process.
                key=None if repeats else task.key,
                log=Path(folder or "", task.log) if task.log else None,
                folder=folder,
                time_limit=task.time_limit,
                iteration=iteration if repeats else None,
                on_start=_benchmark(outcome) if repeats else contextlib.nullcontext,
            )
            outcome.stdout += exit_.stdout
            outcome.stderr += exit_.stderr
            outcome.cpu += exit_.cpu
            outcome.max_rss = max(outcome.max_rss, exit_.max_rss)
            outcome.read += exit_.read
            outcome.written += exit_.written
            outcome.handed_over += exit_.report.get("got", 0)
            outcome.hits += exit_.report.get("hits", 0)
            for path, (entry, identity) in exit_.report.get("entries", {}).items():
                outcome.entries[path] = (entry, tuple(identity))
            if exit_.status != 0:
                outcome.ok = False
                outcome.error = _reason(exit_, task)
                outcome.lost = exit_.cancelled
                break
        return outcome

    def _signed(self, outcome: Outcome, began: float) -> Outcome:
        outcome.host = socket.gethostname()
        outcome.worker = self.worker.address
        outcome.wall = time.monotonic() - began
        outcome.started = time.time() - outcome.wall
        return outcome

    def _new_server(self) -> ForkServer:
        # Jobs whose rule doesn't say otherwise use this machine's folder for temporary files.
        temporary = dict.fromkeys(TMPDIR_VARIABLES, tempfile.gettempdir())
        server = ForkServer(
            self.preload,
            self.space.environment | temporary,
            self.jobs_per_process,
            idle_processes=self.worker.state.nthreads,
            open_files=OPEN_FILES,
        )
        server.ready.add_done_callback(self._say_ready)
        return server

    def _say_ready(self, ready: Future[Ready]) -> None:
        """Say what is wrong with the preloaded modules, if anything is."""
        if ready.exception():
            return
        problems = [
            f"{name} can't be imported: {reason}"
            for name, reason in ready.result().failed.items()
            # What isn't there needs no word unless it was asked for.
            if not (name in self.optional and reason.startswith("ModuleNotFoundError"))
        ]
        if (threads := ready.result().threads) > 1:
            problems.append(f"{threads - 1} threads were started, of which no job will have any")
        if problems:
            notice = Notice(f"dask-preload: {'; '.join(problems)}")
            self.worker.log_event(self.name, pickle.dumps((self.worker.address, notice)))

    def _living_server(self) -> ForkServer:
        with self.lock:
            if self.server.lost:
                self.server = self._new_server()
            return self.server

    async def _watch(self) -> None:
        """Kill all jobs when the scheduler can't be reached: it will give them to others."""
        heard = time.monotonic()
        while time.monotonic() - heard < ledger.LEASE_SECONDS / 2:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                await asyncio.wait_for(
                    self.worker.scheduler.identity(n_workers=0), HEARTBEAT_SECONDS
                )
                heard = time.monotonic()
        logger.warning("The scheduler can't be reached; ending all jobs.")
        self.ending = True
        self.server.kill_all()
        # Which cancels this task.
        self.closing = asyncio.create_task(self.worker.close())


class HandoverSpace:
    """A private folder in memory for one run on one machine, gone with the last of its workers."""

    def __init__(self, run: str, limit: int | None, memory: int) -> None:
        shared_memory = Path("/dev/shm")
        base = shared_memory if os.access(shared_memory, os.W_OK) else Path(tempfile.gettempdir())
        prefix = f"snakemake-dask-{os.getuid()}-"
        self.sweep(base, prefix)
        free = shutil.disk_usage(base).free
        self.limit = min(limit if limit is not None else memory // 8, free // 2)
        self.path = base / f"{prefix}{run}"
        self.owner = self._hold()
        self.path.mkdir(mode=0o700, exist_ok=True)
        if self.path.lstat().st_uid != os.getuid():
            raise PermissionError(f"{self.path} is of another user")

    @property
    def environment(self) -> dict[str, str]:
        """What tells a job where to put and get."""
        return {handover.VARIABLE: f"{self.path}:{self.limit}" if self.limit else ""}

    def remove(self) -> None:
        """Give the memory back, unless other workers use it."""
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(self.owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(self.path, ignore_errors=True)
            self._lock(self.path).unlink(missing_ok=True)
        os.close(self.owner)

    def _hold(self) -> int:
        """Keep others from removing it, as long as this process lives, however it ends."""
        lock = self._lock(self.path)
        while True:
            descriptor = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), lock.stat()):
                    return descriptor
            os.close(descriptor)  # it was removed in this moment

    @classmethod
    def sweep(cls, base: Path, prefix: str) -> None:
        """Remove what this user's dead runs have left."""
        for path in base.glob(f"{prefix}*"):
            if not path.is_dir() or path.stat().st_uid != os.getuid():
                continue
            with contextlib.suppress(OSError):
                descriptor = os.open(cls._lock(path), os.O_RDWR)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)
                    cls._lock(path).unlink(missing_ok=True)
                finally:
                    os.close(descriptor)

    @staticmethod
    def _lock(path: Path) -> Path:
        return path.with_suffix(".lock")


def lost_too_often(starts: int) -> str:
    """Return what is said of a job that takes its workers with it."""
    return f"lost with its worker or killed {starts} times, not tried again"


def _benchmark(outcome: Outcome) -> Any:
    """Return a context that measures a process as Snakemake measures its own."""
    from snakemake.benchmark import benchmarked

    @contextlib.contextmanager
    def measure(pid: int) -> Any:
        with benchmarked(pid) as record:
            yield
        outcome.benchmark.append(record)

    return measure


def _reason(exit_: Exit, task: Task) -> str:
    if exit_.timed_out:
        limit = task.time_limit or 0
        return f"killed after its runtime of {limit / 60:g} min"
    if exit_.cancelled:
        return "withdrawn"
    if exit_.status < 0:
        name = _signal_name(-exit_.status)
        hint = ", perhaps because memory ran out" if name == "SIGKILL" else ""
        return f"killed by {name}{hint}"
    return str(exit_.report.get("error") or f"exit code {exit_.status}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have none
        return f"signal {number}"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
