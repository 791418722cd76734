"""Inputs and results as ``gs://`` objects, on an emulator of Google's storage on loopback."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from conftest import copy_checkout, snakemake
from gcp_storage_emulator.server import create_server

from deriv_ops import MemoryEngine, load_catalog, read_provenance
from deriv_ops.errors import ConfigError
from deriv_ops.locations import list_objects, location
from deriv_ops.store import read_result, write_result

pytestmark = pytest.mark.slow

# In place of those of profiles/local: with what would take seconds of each job.
PRELOAD = (
    "deriv_ops.job,deriv_ops.rules,deriv_ops.kernels.warm,pydantic,pyarrow.csv,pyarrow.dataset,"
    "scipy.cluster.hierarchy,gcsfs,upath.implementations.cloud"
)


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[dict[str, str]]:
    server = create_server("127.0.0.1", 0, in_memory=True, default_bucket="market")
    server.start()
    values = {
        "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{server._api._httpd.server_port}",
        "SNAKEMAKE_STORAGE_GCS_PROJECT": "tests",
        # What kind of bucket it is isn't asked, which the emulator doesn't know.
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    yield values
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value
    server.stop()


def test_the_toy_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = copy_checkout(tmp_path / "project")
    toy = folder / "deriv_ops/catalogs/toy.py"
    toy.write_text(toy.read_text().replace("fin_pricez1d, {})", "fin_pricez1d, {'seconds': 0})"))

    def run(*arguments: str):
        config = ("results_dir=gs://market/toy", "sample_dates=300", "sample_shares=12")
        return snakemake(
            *("--profile", "profiles/local", "--dask-preload", PRELOAD, *arguments),
            *("--config", *config),
            cwd=folder,
            PYTHONPATH=str(folder),
        )

    run()
    monkeypatch.syspath_prepend(folder)
    engine = MemoryEngine("gs://market/toy/sample_market")
    for variable in load_catalog(toy):
        path = f"gs://market/toy/{variable.folder}/{variable.name}.parquet"
        expected = engine.compute(variable)
        pd.testing.assert_frame_equal(read_result(path).frame, expected, check_exact=True)
        assert read_provenance(path)["derivation"] == variable.label
    assert not [path for path in folder.rglob("*.parquet") if "deriv_ops" not in path.parts]
    assert "Nothing to be done" in run("--dry-run").stdout
    location("gs://market/toy/temporary/clustervol.parquet").unlink()
    table = run("--dry-run").stdout.partition("Job stats:")[2].partition("total")[0]
    again = {line.split()[0] for line in table.splitlines()[3:] if line.split()}
    assert again == {"all", "clustervol", "fin_pricedevz1d_byvol"}


def test_a_result_is_replaced_whole():
    path = location("gs://market/replaced/x.parquet")
    frame = pd.DataFrame({"A": [1.0, None]}, pd.DatetimeIndex(["2024-01-01", "2024-01-02"]))
    for run in (1, 2):
        write_result(path, frame * run, {"run": run})
        read = read_result(path)
        pd.testing.assert_frame_equal(read.frame, frame * run, check_exact=True)
        assert read.provenance == {"run": run}


def test_a_missing_bucket_is_named():
    with pytest.raises(ConfigError, match="gs://nowhere/x: there is no bucket nowhere"):
        list_objects(location("gs://nowhere/x"))
