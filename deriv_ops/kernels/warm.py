"""Load all kernels, compiling those that aren't yet: `python -m deriv_ops.kernels.warm`.

Importing it is enough, as `--dask-preload` does on each worker before the first job.
"""

from __future__ import annotations

import importlib
import pkgutil

import deriv_ops.kernels

for module in pkgutil.iter_modules(deriv_ops.kernels.__path__):
    if module.name != "warm":
        importlib.import_module(f"{deriv_ops.kernels.__name__}.{module.name}")
for kernel in deriv_ops.kernels.KERNELS:
    kernel.warm()
