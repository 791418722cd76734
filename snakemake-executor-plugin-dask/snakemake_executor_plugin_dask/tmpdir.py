"""The folder for temporary files of a job: that of the machine where it runs, if none is stated."""

from __future__ import annotations

from typing import Any

from snakemake.common.tbdstring import TBDString
from snakemake.resources import Resources

from .child import TMPDIR, set_tmpdir


def evaluate_tmpdir(job: Any) -> None:
    """Give a job its tmpdir, which Snakemake leaves to be evaluated where the job runs.

    If the rule doesn't state one, it is that of the machine, which is known there.
    """
    resources = job.resources
    if not isinstance(resources.get("tmpdir"), TBDString):
        return
    value: Any = TMPDIR
    default = Resources.DEFAULTS["full"]["tmpdir"]
    if "tmpdir" in job.rule.resources and job.rule.resources["tmpdir"].raw != default:
        value = job.rule.expand_resources(job.wildcards_dict, job.input, job.attempt).tmpdir
    set_tmpdir(resources, value)


async def prepare(job: Any) -> None:
    """Prepare a job as Snakemake does, but for the tmpdir of a machine that isn't known yet."""
    if job.resources.get("tmpdir") != TMPDIR:
        await job.prepare()
        return
    # Snakemake makes what is named, which would be a folder of this name.
    set_tmpdir(job.resources, "")
    try:
        await job.prepare()
    finally:
        set_tmpdir(job.resources, TMPDIR)
