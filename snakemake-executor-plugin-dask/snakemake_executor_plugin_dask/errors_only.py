"""Snakemake as the child of another, which says only what went wrong.

    python -m snakemake_executor_plugin_dask.errors_only -m snakemake ARGUMENTS

With `--quiet all` Snakemake hides its errors, and with less than that it tells how it plans.
"""

from __future__ import annotations

import logging
import sys

from snakemake.cli import main as snakemake
from snakemake.logging import logger


def main() -> None:
    """Run Snakemake with the arguments behind its name."""
    logger.addFilter(lambda record: record.levelno >= logging.ERROR)
    sys.argv[1:3] = []
    snakemake()


if __name__ == "__main__":
    main()
