"""What dask-jobqueue's configuration (`jobqueue.yaml`) says of jobs on Slurm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask
import yaml

KEY = "jobqueue.slurm"


def configure(path: Path) -> None:
    """Add a file to Dask's configuration. Raises ValueError, YAMLError or OSError if it is none."""
    content = yaml.safe_load(path.read_text())
    if not isinstance(content, dict):
        raise ValueError("not a mapping of names to values")
    dask.config.update(dask.config.config, content)


def configured(*names: str) -> Any:
    """Return what the configuration says under one of these names, the newer ones first."""
    return next(
        (value for name in names if (value := dask.config.get(f"{KEY}.{name}", None))), None
    )
