"""Catalogs of derivations over tables of dates x shares, computed by Snakemake.

A catalog is Python: classes of `FileVar`, `Var` and `Map` (`deriv_ops.variables`) over operators
(`deriv_ops.operators`). `load_catalog` checks it (`deriv_ops.catalog`), `deriv_ops.rules` makes a
Snakemake rule of each derivation, `deriv_ops.job` is what such a rule runs, and
`deriv_ops.memory` computes the same in one process.
"""

from deriv_ops.catalog import Catalog, load_catalog
from deriv_ops.errors import CatalogError, DerivOpsError
from deriv_ops.memory import MemoryEngine
from deriv_ops.operators import op
from deriv_ops.operators.declare import Date, Frame, Groups, Irregular, operator
from deriv_ops.store import read_provenance, read_result
from deriv_ops.variables import AbstractDerivation, FileMap, FileVar, Map, Var

__all__ = [
    "AbstractDerivation",
    "Catalog",
    "CatalogError",
    "Date",
    "DerivOpsError",
    "FileMap",
    "FileVar",
    "Frame",
    "Groups",
    "Irregular",
    "Map",
    "MemoryEngine",
    "Var",
    "load_catalog",
    "op",
    "operator",
    "read_provenance",
    "read_result",
]
