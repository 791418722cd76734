# What all rules share: the checked configuration and the catalog.

import gc
import time
from functools import partial
from pathlib import Path

from deriv_ops.config import Config, check_schema
from deriv_ops.errors import DerivOpsError
from deriv_ops.object_states import remembering
from deriv_ops.report import report_at_end
from deriv_ops.rules import progress_groups, rule_specs, targets
from deriv_ops.runs import former_seconds
from deriv_ops.store import remove_unfinished
from snakemake.exceptions import WorkflowError
from snakemake.jobs import GroupJob
from snakemake.logging import logger
from snakemake.utils import min_version
from snakemake_logger_plugin_catalog import announce, wait_for_view

min_version("9.27")

BEGAN = time.time()

try:
    check_schema(config, Path(workflow.basedir, "config", "schema.yaml"))
    CONFIG = Config.of(config)
    CATALOG = CONFIG.load_catalog()
    TARGETS = targets(CATALOG, CONFIG)
except DerivOpsError as error:
    # Told as it is written, without a traceback of the workflow.
    raise WorkflowError(str(error)) from None

# Snakemake names a group after five of its rules: longer than a file's name may be, and executors
# name files after it. (That of Slurm then waits for ever for a job that it hasn't submitted.)
GroupJob.name = property(lambda group: group.groupid)

# For the view of the run: jobs are counted by operator and by folder.
announce(
    logger,
    progress_groups(CATALOG),
    config=config,
    former=partial(former_seconds, CONFIG.results_dir),
)


def ended(ok):
    """Write the report, when the view has recorded the end of the run."""
    wait_for_view(logger, workflow.logger_manager.get_log_handlers(), ok)
    logger.info(report_at_end(CATALOG, CONFIG, BEGAN))


# Snakemake's plugins for what `deriv_ops.locations` reads and writes.
STORAGE = {"s3": "s3", "gs": "gcs"}


def stored(path):
    """Return a file of a rule; of an object Snakemake looks at the time, and jobs do the transfer.

    Its other way is to keep copies on a file system, one more each way for every job.
    """
    scheme, remote, _ = path.partition("://")
    if not remote:
        return path
    return getattr(storage, remembering(STORAGE[scheme]))(path, retrieve=False)
