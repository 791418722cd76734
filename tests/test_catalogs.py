"""The catalogs of a research team's size, on small tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deriv_ops import Catalog, FileVar, MemoryEngine, Var, load_catalog, op
from deriv_ops.sample_tables import TABLE_FILES, write_tables


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    write_tables(folder, dates=400, shares=24, seed=1)
    return folder


@pytest.mark.parametrize(("name", "derivations"), [("medium", 1383), ("full", 5327)])
def test_a_catalog_has_its_size(name: str, derivations: int, tables: Path) -> None:
    catalog = load_catalog(f"deriv_ops.catalogs.{name}", tables)
    assert sum(isinstance(variable, Var) for variable in catalog) == derivations
    assert sum(isinstance(variable, FileVar) for variable in catalog) == len(TABLE_FILES) == 276


def test_the_medium_catalog_computes(tables: Path) -> None:
    catalog = load_catalog("deriv_ops.catalogs.medium", tables)
    engine = MemoryEngine(tables)
    for variable in catalog:
        frame = engine.compute(variable)
        if isinstance(variable, Var):
            assert np.isfinite(frame.to_numpy()).any(), variable.label
            assert not np.isinf(frame.to_numpy()).any(), variable.label


def test_the_catalogs_use_every_kind_of_operator(tables: Path) -> None:
    def used(catalog: Catalog) -> set[str]:
        return {variable.operator.kind for variable in catalog if isinstance(variable, Var)}

    kinds = {getattr(op, name).kind for name in dir(op)}
    assert used(load_catalog("deriv_ops.catalogs.medium", tables)) == kinds


def test_the_same_seed_makes_the_same_tables(tables: Path, tmp_path: Path) -> None:
    write_tables(tmp_path, dates=400, shares=24, seed=1)
    for name in TABLE_FILES:
        again, before = pd.read_parquet(tmp_path / name), pd.read_parquet(tables / name)
        pd.testing.assert_frame_equal(again, before, check_exact=True)
