"""What the benchmarks compare ours with computes the same: nothing wrong is ever timed."""

from __future__ import annotations

import inspect
import json
import runpy
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
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


@pytest.mark.slow
def test_whole_catalogs_are_measured_and_drawn(tmp_path: Path) -> None:
    measures, drawing = tmp_path / "measures.jsonl", tmp_path / "drawing.svg"
    size = ["--dates", "300", "--shares", "12", "--folder", str(tmp_path)]
    chosen = ["--catalogs", "toy", "--engines", "memory", "futures", "ours"]
    for command in (
        ["benchmarks/catalogs.py", *size, *chosen, "--json", str(measures)],
        ["benchmarks/plots.py", str(measures), str(drawing)],
    ):
        done = subprocess.run(
            [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in measures.read_text().splitlines()]
    engines = ["kernels", "ours", "futures", "memory", "limit", "machine"]
    assert [line["engine"] for line in lines] == engines
    assert all(line["wall"] > 0 for line in lines[:-1])
    assert "toy, 12 shares" in drawing.read_text()


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
