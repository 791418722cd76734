"""What the benchmarks compare ours with computes the same: nothing wrong is ever timed."""

from __future__ import annotations

import inspect
import runpy
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType

import pandas as pd
import pytest
from conftest import ROOT

from deriv_ops import op

# Others keep running sums, which leave rounding behind.
TOLERANCE = 1e-9


@pytest.fixture(scope="module")
def benchmark() -> Iterator[ModuleType]:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import operators

    yield operators
    sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def tables(benchmark: ModuleType) -> Mapping[str, pd.DataFrame]:
    return benchmark.frames(400, 20)


def pandas_functions() -> list[str]:
    names = runpy.run_path(str(ROOT / "benchmarks/pandas_operators.py"))
    return [name for name, what in names.items() if inspect.isfunction(what) and name[0] != "_"]


@pytest.mark.parametrize("name", dir(op))
def test_what_is_compared_computes_the_same(
    name: str, benchmark: ModuleType, tables: Mapping[str, pd.DataFrame]
) -> None:
    rows = list(benchmark.rows_of(getattr(op, name), tables))
    assert rows[0].label == name
    assert rows[0].ours().notna().any(axis=None)
    for row in rows:
        assert not row.differences(TOLERANCE), row.label
    assert ("pandas" in rows[0].theirs) == (name in pandas_functions())


def test_every_function_of_pandas_stands_beside_an_operator() -> None:
    assert set(pandas_functions()) <= set(dir(op))


def test_the_correlation_matrices_are_the_same(
    benchmark: ModuleType, tables: Mapping[str, pd.DataFrame]
) -> None:
    gaps, whole = benchmark.correlation_matrices(tables)
    assert not gaps.differences(TOLERANCE) | whole.differences(TOLERANCE)
    assert set(gaps.theirs) == {"pandas"}
    assert set(whole.theirs) == {"pandas", "numpy"}


def test_what_differs_is_not_timed(
    benchmark: ModuleType, tables: Mapping[str, pd.DataFrame], capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = benchmark.rows_of(op.add, tables)
    (wrong,) = benchmark.rows_of(op.subtract, tables)
    benchmark.show(benchmark.Row("add", row.ours, wrong.theirs))
    out, err = capsys.readouterr()
    assert out.count("differs") == 1
    assert "add of pandas: " in err


@pytest.mark.parametrize("library", ["bottleneck", "numbagg"])
def test_a_library_that_is_not_there_is_told(library, benchmark, monkeypatch, capsys) -> None:
    # Beside what isn't here anyway.
    missing = sorted({*benchmark.array_operators.MISSING, library})
    monkeypatch.setattr(benchmark.array_operators, "MISSING", missing)
    monkeypatch.setattr(sys, "argv", ["operators.py", "lag", "--shape", "30", "3"])
    for name, value in benchmark.KEEP_MEMORY.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(benchmark, "SECONDS", 1e-6)
    benchmark.main()
    assert f"{library} isn't installed" in capsys.readouterr().out
