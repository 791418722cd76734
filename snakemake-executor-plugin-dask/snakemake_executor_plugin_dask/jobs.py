"""From a Snakemake job to a task for a worker. All use of Snakemake's internals is here.

Snakemake has no interface for running a job other than calling itself again. What this module
does in its place follows `snakemake.executors.local` and `snakemake.script`, and has to be
compared with them when the bound on Snakemake's version is raised.
"""

from __future__ import annotations

import os
import pickle
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemake.benchmark import write_benchmark_records
from snakemake.common import get_snakemake_searchpaths
from snakemake.exceptions import WorkflowError
from snakemake.iocontainers import Params, Snakemake
from snakemake.resources import Resources
from snakemake.script import get_source
from snakemake.settings.types import DeploymentMethod, SharedFSUsage
from snakemake.shell import MAX_ARG_LEN, shell

from .child import THREAD_VARIABLES, TMPDIR, TMPDIR_VARIABLES
from .task import Outcome, Task
from .tmpdir import evaluate_tmpdir, prepare

# What a job on another machine needs to be where the main process sees it; its script comes along.
SHARED = {SharedFSUsage.INPUT_OUTPUT, SharedFSUsage.SOURCES}
PROCESS_KEY = ("filename", "threads", "shell_exec")
FRAMEWORKS = ("numpy", "pandas", "polars")


@dataclass(frozen=True)
class Script:
    """A Python script of a rule; its text, as the run's cache may be where no worker sees it."""

    text: str
    filename: str
    search_path: tuple[str, ...]
    basedir: str


class JobTranslator:
    """Makes tasks of jobs."""

    def __init__(self, workflow: Any, ledgers: Path, starts: int) -> None:
        self.workflow = workflow
        self.ledgers = ledgers
        self.starts = starts
        self.scripts: dict[tuple[str, str], Script] = {}
        self.shared = workflow.storage_settings.shared_fs_usage >= SHARED
        self.methods = workflow.deployment_settings.deployment_method
        self.cwd = str(Path.cwd())
        self.script_dir = os.path.abspath(".snakemake/scripts")  # noqa: PTH100

    def is_warm(self, job: Any) -> bool:
        """Whether a job needs no Snakemake of its own: a Python script or a shell command."""
        if job.is_group() or job.is_shadow or job.is_template_engine:
            return False
        if not (job.is_shell or job.is_script):
            return False
        # A pipe or service is in a group, but its consumer may not be.
        if job.is_pipe or job.is_service or self._in_environment(job):
            return False
        if self.workflow.workflow_settings.cache is not None and job.rule.cache:
            return False
        if not self._reachable(job):
            return False
        repeats = job.benchmark_repeats or 1
        # The ledger knows of one start and one end, not of what is between two repeats.
        if repeats > 1 and self.shared:
            return False
        if job.is_script:
            return self._script(job).filename.endswith(".py")
        # A command of a benchmark may use {bench_iteration}, which differs for each repeat.
        return repeats == 1 or "bench_iteration" not in job.rule.shellcmd

    def prepare(self, jobs: list[Any]) -> None:
        """Do what Snakemake does just before a job runs, for the warm ones of many."""

        async def prepare_all() -> None:
            for job in jobs:
                if self.is_warm(job):
                    evaluate_tmpdir(job)
                    await prepare(job)

        # Together, because each call makes an event loop of its own.
        self.workflow.async_run(prepare_all())

    def warm_task(self, job: Any, key: str, known: dict[str, Any], is_read: bool) -> Task:
        """Return the task of a job that was prepared.

        `known` is of handed over inputs, `is_read` whether other jobs will read the outputs.
        """
        payload = self._script_payload(job) if job.is_script else self._shell_payload(job)
        payload |= {"cwd": self.cwd, "handover": known, "is_read": is_read}
        # What a script leaves in libraries may depend on these.
        process = repr([payload[part] for part in PROCESS_KEY]) if job.is_script else None
        logs = tuple(str(file) for file in job.log)
        log = logs[0] if job.is_script and logs else None
        if not self.shared:
            return Task(
                name=key,
                payload=pickle.dumps(payload),
                ledger=None,
                key=process,
                log=log,
                logs=logs,
                time_limit=time_limit(job),
                starts=self.starts,
                benchmark_repeats=(job.benchmark_repeats or 1) if job.benchmark else 0,
            )
        return Task(
            name=key,
            payload=pickle.dumps(payload),
            ledger=self._ledger(key),
            key=process,
            # An object is written whole or not at all: there is nothing to remove.
            outputs=tuple(self._absolute(file) for file in job.output if not file.is_storage),
            # What a shell command prints is for the console unless it says otherwise itself.
            log=self._absolute(log) if log else None,
            time_limit=time_limit(job),
            starts=self._starts(job),
            benchmark_repeats=(job.benchmark_repeats or 1) if job.benchmark else 0,
        )

    def command_task(self, job: Any, key: str, command: str) -> Task:
        """Return the task of a job that has to call Snakemake again."""
        environment = dict(self.workflow.spawned_job_args_factory.envvars())
        # Other shells drop the functions that bash exports, such as `module`.
        executable = shutil.which("bash") or "/bin/sh"
        environment |= dict.fromkeys(THREAD_VARIABLES, str(job.threads))
        payload = {"argv": [executable, "-c", command], "env": environment, "cwd": self.cwd}
        return Task(
            name=key,
            payload=pickle.dumps(payload),
            ledger=self._ledger(key),
            time_limit=time_limit(job),
            starts=self._starts(job),
        )

    def _starts(self, job: Any) -> int:
        """Return how often a job may begin: once if it changes an output in place."""
        outputs = (file for single in members(job) for file in single.output)
        return 1 if any("update" in file.flags for file in outputs) else self.starts

    def _ledger(self, key: str) -> str:
        return os.path.join(self.ledgers, key)  # noqa: PTH118

    def _absolute(self, file: str) -> str:
        # Without asking the system for the working directory for each file of each job.
        return os.path.normpath(os.path.join(self.cwd, file))  # noqa: PTH118

    def _reachable(self, job: Any) -> bool:
        """Whether a job gets at its files by itself: on shared storage, or as URLs.

        An object that isn't to be retrieved is one that the script reads and writes itself.
        """
        files = (*job.input, *job.output)
        if any(f.is_storage and not f.should_not_be_retrieved_from_storage for f in files):
            return False
        if any(file.is_storage for file in job.log):
            return False
        return self.shared or all(f.is_storage for f in files)

    def _in_environment(self, job: Any) -> bool:
        rule = job.rule
        return bool(
            (DeploymentMethod.CONDA in self.methods and rule.conda_env)
            or (DeploymentMethod.APPTAINER in self.methods and rule.container_img)
            or (DeploymentMethod.ENV_MODULES in self.methods and rule.env_modules)
        )

    def _script(self, job: Any) -> Script:
        path = job.rule.script
        if isinstance(path, Path):
            path = str(path)
        basedir = job.rule.basedir
        if not isinstance(path, str) or "{" in path:
            path, basedir = job._path_to_source_file(path), None
        # By their names: each rule has objects of its own, for the same script.
        key = (str(path), str(basedir))
        if key not in self.scripts:
            self.scripts[key] = self._load_script(path, basedir)
        return self.scripts[key]

    def _load_script(self, path: Any, basedir: Any) -> Script:
        file, _, _, is_local, cache_path = get_source(path, self.workflow.sourcecache, basedir)
        folder = file.get_basedir().get_path_or_uri(secret_free=True)
        search_path = [*get_snakemake_searchpaths()]
        if cache_path:
            search_path.append(str(Path(cache_path).parent))
        filename = file.get_path_or_uri(secret_free=True)
        if is_local:
            search_path.append(folder)
            filename = os.path.realpath(filename)
        text = Path(cache_path).read_text(encoding="utf-8")
        return Script(text, filename, tuple(search_path), folder)

    def _script_payload(self, job: Any) -> dict[str, Any]:
        script = self._script(job)
        return {
            "text": script.text,
            "filename": script.filename,
            "search_path": script.search_path,
            "script_dir": self.script_dir,
            "snakemake": pickled(job, script.basedir),
            "shell_exec": job.resources.get("shell_exec"),
            "threads": job.threads,
            "env": self._environment(job),
        }

    def _shell_payload(self, job: Any) -> dict[str, Any]:
        executable = job.resources.get("shell_exec") or shell.get_executable() or "/bin/sh"
        prefix = shell._get_process_prefix(executable)
        command = " ".join((prefix, job.shellcmd, shell._process_suffix)).strip()
        if len(command) > MAX_ARG_LEN:
            # Longer than the system allows for an argument: by way of a file.
            command = f". {shlex.quote(self._command_file(job, command))}"
        threads = dict.fromkeys(THREAD_VARIABLES, str(job.threads))
        return {"argv": [executable, "-c", command], "env": self._environment(job) | threads}

    def _command_file(self, job: Any, command: str) -> str:
        path = self.ledgers / f"{job.jobid}-{job.attempt}.sh"
        path.write_text(command.replace(TMPDIR, "$TMPDIR") + "\n")
        return str(path)

    def _environment(self, job: Any) -> dict[str, str]:
        # Those of storage plugins are for Snakemake's own transfers, and hold passwords.
        declared = {*self.workflow.remote_execution_settings.envvars, *self.workflow.envvars}
        environment = {name: os.environ[name] for name in declared}
        folder = job.resources.get("tmpdir")
        if self.shared and folder and folder != TMPDIR:
            environment |= dict.fromkeys(TMPDIR_VARIABLES, folder)
        return environment


def pickled(job: Any, basedir: str) -> bytes:
    """Return the script's `snakemake` for its process. Raises WorkflowError if it can't go."""
    try:
        return pickle.dumps(snakemake_object(job, basedir))
    except Exception as error:
        raise WorkflowError(
            f"{error}. What rule {job.rule.name} gives its script, such as params and config, has "
            "to be made of what pickles."
        ) from error


def snakemake_object(job: Any, basedir: str) -> Snakemake:
    """Return what a script sees as `snakemake`."""
    arguments = (job.wildcards, job.threads, job.resources, job.log)
    end = (job.rule.workflow.config, job.rule.name, None, basedir)
    if any(type(value).__module__.partition(".")[0] in FRAMEWORKS for value in job.params):
        return Snakemake(job.input, job.output, job.params, *arguments, *end)
    # Without frames among the params the constructor can be spared, which looks for pandas and
    # polars each time.
    snakemake = Snakemake.__new__(Snakemake)
    snakemake.input, snakemake.output, snakemake.log = map(plain, (job.input, job.output, job.log))
    snakemake._params_store = Params(toclone=job.params)
    snakemake._params_types = {}
    snakemake.wildcards, snakemake.threads, snakemake.resources, _ = arguments
    snakemake.config, snakemake.rule, snakemake.bench_iteration, snakemake.scriptdir = end
    return snakemake


def plain(files: Any) -> Any:
    """Return files without their flags."""
    return files._plainstrings() if len(files) else files


def time_limit(job: Any) -> float | None:
    """Return a job's `runtime` in seconds; it is given in minutes."""
    runtime = job.resources.get("runtime")
    return runtime * 60 if isinstance(runtime, int | float) and runtime > 0 else None


def resources(job: Any, machines: list[dict[str, float]]) -> dict[str, float]:
    """Return what a job needs of its worker.

    Of a rule's resources those count that a worker offers; of others Snakemake keeps account.
    Threads are scaled down to the largest worker, as Snakemake does on one machine, and so is its
    own guess at the memory. Raises WorkflowError if no worker will do.
    """
    largest = {
        name: max(machine.get(name, 0) for machine in machines)
        for name in {name for machine in machines for name in machine}
    }
    needs = {
        name: value
        for name, value in job.resources.items()
        if name in largest and isinstance(value, int | float)
    }
    needs["threads"] = min(job.threads, largest["threads"])
    if "mem_mb" in needs and any(map(memory_is_guess, members(job))):
        stated = [single.resources.mem_mb for single in members(job) if not memory_is_guess(single)]
        needs["mem_mb"] = min(needs["mem_mb"], max(largest["mem_mb"], *stated, 0))
    if not any(suits(machine, needs) for machine in machines):
        asked, *have = (
            ", ".join(f"{name}={value:g}" for name, value in sorted(offer.items()))
            for offer in (needs, *machines)
        )
        offers = "; ".join(sorted(set(have)))
        raise WorkflowError(f"No worker can run this job. It needs {asked}; workers have {offers}.")
    return needs


def suits(machine: dict[str, float], needs: dict[str, float]) -> bool:
    """Whether a machine has what a job needs."""
    return all(machine.get(name, 0) >= value for name, value in needs.items())


def threads(job: Any, machines: list[dict[str, float]]) -> int:
    """Return how many threads a child Snakemake has for a job: no more than its worker.

    Except for pipes and services, which have to run at once.
    """
    if any(single.is_pipe or single.is_service for single in members(job)):
        return int(job.threads)
    largest = max(machine["threads"] for machine in machines)
    return max(1, int(min(job.threads, largest)))


def members(job: Any) -> list[Any]:
    """Return the jobs of a group, or the job that is in none."""
    return list(job.jobs) if job.is_group() else [job]


def memory_is_guess(job: Any) -> bool:
    """Whether nobody has said what memory a job needs, so that it has Snakemake's default."""
    memory = job.rule.resources.get("mem")
    return memory is not None and memory.raw == Resources.DEFAULTS["full"]["mem"]


def write_benchmark(workflow: Any, job: Any, outcome: Outcome) -> None:
    """Write the benchmark file of a job, as Snakemake does after running it."""
    for record in outcome.benchmark:
        record.jobid = job.jobid  # type: ignore[attr-defined]
        record.rule_name = job.rule.name  # type: ignore[attr-defined]
        for name in ("wildcards", "params", "resources", "input", "threads"):
            setattr(record, name, getattr(job, name))
    extended = workflow.output_settings.benchmark_extended
    write_benchmark_records(outcome.benchmark, str(job.benchmark), extended)


def limit_threads(workflow: Any, machines: list[dict[str, float]]) -> None:
    """Scale down rules that claim more threads than a worker has, as Snakemake does locally."""
    if workflow.resource_settings.max_threads is None:
        largest = max(machine["threads"] for machine in machines)
        workflow.resource_settings.max_threads = int(largest)


def lift_rate_limit(scheduler: Any) -> None:
    """Submit without a limit on the rate, which is for batch systems.

    For each round of scheduling, the limit would start a thread that starts another round.
    """
    scheduler.job_rate_limiter = None
    scheduler.resources["_job_count"] = sys.maxsize


def withdraw(workflow: Any, job: Any, begun: bool) -> None:
    """Tell Snakemake that a job is no longer out, without calling it a failure.

    A job that had begun has its output removed; one that had not has none.
    """
    scheduler = workflow.scheduler
    if begun:
        scheduler.error_callback(job)
        return
    for single in members(job):
        workflow.persistence.cleanup(single)
    with scheduler._lock:
        scheduler.running.discard(job)
        scheduler._free_resources(job)
    scheduler._open_jobs.release()


def is_done(workflow: Any) -> bool:
    """Whether all jobs have ended well."""
    scheduler: Any = getattr(workflow, "scheduler", None)
    if scheduler is None:  # Snakemake has ended before it had one
        return False
    return not scheduler._errors and not any(scheduler.remaining_jobs)


def settle(scheduler: Any) -> None:
    """Have Snakemake process the jobs that ended after its scheduler had stopped."""
    with scheduler._lock:
        scheduler._finish_jobs()
        scheduler._error_jobs()
