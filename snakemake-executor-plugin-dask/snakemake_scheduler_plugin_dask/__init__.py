"""Snakemake scheduler plugin: all that is ready, in the order of priority, while resources last.

It selects what Snakemake's `greedy` selects, in a time that grows with the number of ready jobs and
not with its square, which is seconds for a thousand jobs and half a minute for five thousand. It
suits every executor, and most of all one that takes all that is ready at once, as the Dask one.
"""

from collections.abc import Mapping, Sequence

from snakemake_interface_common.io import AnnotatedStringInterface
from snakemake_interface_scheduler_plugins.base import SchedulerBase
from snakemake_interface_scheduler_plugins.interfaces.jobs import JobSchedulerInterface

__all__ = ["Scheduler"]

Sizes = Mapping[AnnotatedStringInterface, int | None]


class Scheduler(SchedulerBase):  # type: ignore[misc]
    """Selects jobs."""

    def select_jobs(
        self,
        selectable_jobs: Sequence[JobSchedulerInterface],
        remaining_jobs: Sequence[JobSchedulerInterface],
        available_resources: Mapping[str, int | str],
        input_sizes: Sizes,
    ) -> list[JobSchedulerInterface]:
        """Return the jobs to begin now: the first ones first, each that what is left suffices for.

        What doesn't fit is passed over, as it wouldn't fit any more after others either.
        """
        left = {name: int(value) for name, value in available_resources.items()}
        selected = []
        for job in sorted(selectable_jobs, key=lambda job: _rank(job, input_sizes), reverse=True):
            needs = [(name, job.scheduler_resources.get(name, 0)) for name in left]
            if all(need <= left[name] for name, need in needs):
                selected.append(job)
                for name, need in needs:
                    left[name] -= need
        return selected


def _rank(job: JobSchedulerInterface, sizes: Sizes) -> tuple[int, int, int]:
    """Return what `greedy` goes by: priority, then what temporary files may go, then all input."""
    temporary = sum(sizes[file] or 0 for file in job.input if file.is_flagged("temp"))
    return job.priority, temporary, sum(sizes[file] or 0 for file in job.input)
