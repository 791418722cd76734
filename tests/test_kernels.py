"""Kernels are compiled once for all processes, and let other threads run beside them."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from deriv_ops import op
from deriv_ops.kernels import KERNELS

WARM = """
from numba.core.event import install_recorder
with install_recorder("numba:compile") as recorder:
    import deriv_ops.kernels.warm
kernels = deriv_ops.kernels.KERNELS
"""
SECOND = f"""
{WARM}
assert not recorder.buffer, recorder.buffer
assert kernels
for kernel in kernels:
    hits, misses = (sum(n.values()) for n in kernel.compiled.stats[1:])
    assert (hits, misses) == (1, 0), (kernel, hits, misses)
"""
OPERATORS = f"""
import importlib, sys
sys.path.append({str(ROOT / "tests")!r})
from frames import frame
from numba.core.event import install_recorder
from deriv_ops import op
with install_recorder("numba:compile") as recorder:
    for name in dir(op):
        if name != "wait_for_dask":
            case = importlib.import_module(f"oracles.{{name}}").CASES[0]
            getattr(op, name)(*map(frame, case.inputs), **case.params)
from deriv_ops.kernels import KERNELS
assert len([kernel for kernel in KERNELS if kernel.compiled]) > 10
assert not recorder.buffer, recorder.buffer
"""


@pytest.mark.slow
def test_a_second_process_compiles_nothing(run_python: Callable[..., str]) -> None:
    # Compiling all of them takes a minute, where that hasn't been done.
    subprocess.run([sys.executable, "-c", WARM], check=True, timeout=600)
    run_python(SECOND)
    # Nor one that loads kernels as it calls them, as a job does.
    run_python(OPERATORS)


def test_each_is_kept_under_a_name_of_its_own() -> None:
    """By one name for several, a process could load one for another."""
    names = Counter((kernel.__module__, kernel.__qualname__) for kernel in KERNELS)
    assert len(names) > 30 and set(names.values()) == {1}


def test_each_lets_go_of_the_interpreter() -> None:
    for kernel in KERNELS:
        kernel.warm()
        assert kernel.compiled.targetoptions["nogil"], kernel


@pytest.fixture
def long_frame() -> pd.DataFrame:
    """Some tenths of a second for a moving rank."""
    values = np.random.default_rng(0).normal(size=(4000, 400))
    return pd.DataFrame(values, pd.date_range("2000-01-01", periods=len(values)))


def test_two_threads_are_in_a_kernel_at_once_while_a_third_counts(
    long_frame: pd.DataFrame,
) -> None:
    op.moving_rank(long_frame.iloc[:3], window=2)
    inside: set[int] = set()

    def compute(number: int) -> None:
        inside.add(number)
        op.moving_rank(long_frame, window=500)
        inside.discard(number)

    threads = [threading.Thread(target=compute, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    # With the interpreter's lock held in the kernel, this thread would come to its turn between
    # the two of them only: once or twice.
    counted = 0
    while any(thread.is_alive() for thread in threads):
        counted += len(inside) == 2
        time.sleep(0.001)
    assert counted > 10
