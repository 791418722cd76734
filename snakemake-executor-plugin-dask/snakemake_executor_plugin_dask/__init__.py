"""Snakemake executor plugin that runs jobs on warm Dask workers."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from snakemake_interface_executor_plugins.settings import CommonSettings, ExecutorSettingsBase

if TYPE_CHECKING:
    from .executor import Executor

__all__ = ["Executor", "ExecutorSettings", "common_settings"]

# Without postponed annotations: Snakemake makes its command line from the types of the settings.
# Every start of Snakemake imports this module, with or without the plugin in use: Dask and what
# is larger are imported when the executor is made.

common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    # Sent with the job: a command line can be read by everyone on the machine.
    pass_envvar_declarations_to_cmd=False,
    auto_deploy_default_storage_provider=False,
)


@dataclass
class ExecutorSettings(ExecutorSettingsBase):  # type: ignore[misc]
    """Settings of the plugin, on the command line as --dask-..."""

    cluster: str = field(
        default="local",
        metadata={
            "help": "Where the workers are: 'local' (started on this machine for the run), "
            "'slurm' (in Slurm jobs submitted for the run), 'srun' (on the nodes of the Slurm "
            "allocation this runs in), 'kubernetes' (in pods made for the run), the address of a "
            "Dask scheduler (tcp://host:port), or the path of a scheduler file.",
            "env_var": True,
        },
    )
    threads: int | None = field(
        default=None,
        metadata={
            "help": "Threads of the local cluster. Default: --cores, else all CPUs this process "
            "may use (by its affinity, control group and Slurm allocation).",
            "env_var": True,
            "type": int,
        },
    )
    memory_mb: int | None = field(
        default=None,
        metadata={
            "help": "Memory of the local cluster in MB, which the mem_mb of its jobs may add up "
            "to. Default: 7/8 of the memory this process may use.",
            "env_var": True,
            "type": int,
        },
    )
    workers: str = field(
        default="1",
        metadata={
            "help": "How many Slurm jobs, or pods, with workers there shall be: N, or MIN:MAX for "
            "as many as the work that is ready can use.",
            "env_var": True,
        },
    )
    config: str | None = field(
        default=None,
        metadata={
            "help": "A YAML file with Dask's configuration, such as the jobqueue.yaml of "
            "dask-jobqueue, or its section kubernetes. Default: what Dask finds by itself "
            "(~/.config/dask).",
            "env_var": True,
            "type": str,
        },
    )
    preload: str = field(
        default="numpy,pandas,pyarrow.dataset,pyarrow.parquet",
        metadata={
            "help": "Modules, separated by commas, that are imported once on each worker, so that "
            "no job has to. What isn't installed is left out.",
            "env_var": True,
        },
    )
    handover_mb: int | None = field(
        default=None,
        metadata={
            "help": "Memory in MB on each machine for frames that jobs hand over to the jobs that "
            "read them next; 0 for none. Default: 1/8 of a worker's memory.",
            "env_var": True,
            "type": int,
        },
    )
    jobs_per_process: int = field(
        default=1,
        metadata={
            "help": "How many jobs of the same Python script a process runs, one after the other, "
            "before it is replaced. Between two of them everything is put back but what the script "
            "has set inside of libraries. Default: 1, a fork for each job.",
            "env_var": True,
            "type": int,
        },
    )
    lost_retries: int = field(
        default=2,
        metadata={
            "help": "How often a job is begun again after its worker was lost while it ran.",
            "env_var": True,
            "type": int,
        },
    )
    records: str | None = field(
        default=None,
        metadata={
            "help": "Folder for the records of runs: a file of JSON lines each, a line for each "
            "job with its times, memory, bytes and errors. Default: none are kept.",
            "env_var": True,
            "type": str,
        },
    )


def __getattr__(name: str) -> Any:
    # The processes of a cluster import this package, too, and need no executor.
    if name == "Executor":
        from .executor import Executor

        return Executor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
