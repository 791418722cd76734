"""The catalogs of a research team's size, on small tables."""

from __future__ import annotations

import runpy
from collections import Counter
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from oracles import assert_same

from deriv_ops import FileVar, MemoryEngine, Var, load_catalog, op
from deriv_ops.operators.conventions import conform
from deriv_ops.operators.declare import Operator
from deriv_ops.sample_tables import TABLE_FILES, write_tables


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    write_tables(folder, dates=400, shares=24, seed=1)
    return folder


@pytest.mark.parametrize(("name", "derivations"), [("medium", 1383), ("full", 5327)])
def test_a_catalog_is_of_its_size_and_repeats_nothing(
    name: str, derivations: int, tables: Path
) -> None:
    catalog = load_catalog(f"deriv_ops.catalogs.{name}", tables)
    made = [variable for variable in catalog if isinstance(variable, Var)]
    read = {parent for variable in made for parent in variable.parents}
    files = [variable for variable in catalog if isinstance(variable, FileVar)]
    assert len(made) == derivations
    assert len(files) == len(TABLE_FILES) == 276
    assert set(files) <= read
    calls = Counter(
        (v.operator, v.parents, *sorted(v.operator.check_params(v.params)[0].items())) for v in made
    )
    assert max(calls.values()) == 1
    depth = dict.fromkeys(files, 0)
    for variable in made:
        depth[variable] = 1 + max(depth[parent] for parent in variable.parents)
    assert max(depth.values()) >= 4


@pytest.mark.slow
def test_all_of_it_computes_as_in_pandas(tables: Path) -> None:
    in_pandas = runpy.run_path(str(ROOT / "benchmarks/pandas_operators.py"))
    catalog = load_catalog("deriv_ops.catalogs.full", tables)
    engine = MemoryEngine(tables)
    compared = set()
    for variable in catalog:
        frame = engine.compute(variable)
        if not isinstance(variable, Var):
            continue
        assert np.isfinite(frame.to_numpy()).any(), variable.label
        assert not np.isinf(frame.to_numpy()).any(), variable.label
        # Each kind of call once.
        operator, inputs = variable.operator, [engine.compute(p) for p in variable.parents]
        params = operator.check_params(variable.params)[0]
        kind = (operator.name, *params.items(), *(table.shape for table in inputs))
        if kind not in compared:
            compared.add(kind)
            given = {k: v for k, v in params.items() if v != operator.defaults[k]}
            inputs = [table.replace([np.inf, -np.inf], np.nan) for table in inputs]
            expected = in_pandas[operator.name](*conform(operator, inputs), **given)
            unit = getattr(import_module(f"oracles.{operator.name}"), "UNIT", 0.0)
            assert_same(frame, expected.replace([np.inf, -np.inf], np.nan), unit, tolerance=1e-8)


def test_the_catalogs_use_every_operator(tables: Path) -> None:
    def used(name: str) -> set[Operator]:
        catalog = load_catalog(f"deriv_ops.catalogs.{name}", tables)
        return {variable.operator for variable in catalog if isinstance(variable, Var)}

    # One of them only takes time.
    every = {getattr(op, name) for name in dir(op)} - {op.wait_for_dask}
    assert used("full") == every
    assert {operator.kind for operator in used("medium")} == {operator.kind for operator in every}


def test_the_same_seed_makes_the_same_tables(tables: Path, tmp_path: Path) -> None:
    write_tables(tmp_path, dates=400, shares=24, seed=1)
    for name in TABLE_FILES:
        again, before = pd.read_parquet(tmp_path / name), pd.read_parquet(tables / name)
        pd.testing.assert_frame_equal(again, before, check_exact=True)
