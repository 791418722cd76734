"""Load all kernels, compiling those that aren't yet: `python -m deriv_ops.kernels.warm`.

Importing it is enough, as `--dask-preload` does on each worker before the first job.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from concurrent.futures import ProcessPoolExecutor

from deriv_ops import kernels

MODULES = [kernels.__name__]
for module in pkgutil.iter_modules(kernels.__path__, f"{kernels.__name__}."):
    if not module.name.endswith(".warm"):
        importlib.import_module(module.name)
        MODULES.append(module.name)


def warm(module: str) -> None:
    """Load or compile the kernels of a module."""
    for kernel in kernels.KERNELS:
        if kernel.__module__ == module:
            kernel.warm()


if __name__ == "__main__":
    # What is compiled for a module is in its own file, so that none waits for another's.
    with ProcessPoolExecutor(min(len(os.sched_getaffinity(0)), len(MODULES))) as pool:
        list(pool.map(warm, MODULES))
else:
    for name in MODULES:
        warm(name)
