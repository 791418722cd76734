"""Inputs and results as objects: the toy model end to end, and everything that can be refused."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import copy_checkout, run_cli, snakemake
from object_storage import SECRET, CuttingProxy, ObjectStorage, serving
from test_report import data_of, states

from deriv_ops import MemoryEngine, load_catalog, read_provenance
from deriv_ops.errors import ConfigError, InputFileError, OutputError
from deriv_ops.locations import location
from deriv_ops.object_states import remembering
from deriv_ops.readers import find_table, read_table
from deriv_ops.sample import write_market
from deriv_ops.store import read_result, write_result

APART = ("--shared-fs-usage", "input-output", "persistence")
FRAME = pd.DataFrame(
    np.random.default_rng(0).random((300, 40)), pd.bdate_range("2020-01-01", periods=300)
)
FRAME.columns = FRAME.columns.astype("str")


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectStorage]:
    with serving() as server:
        server.client("s3").create_bucket(Bucket="market")
        yield server


@pytest.fixture(autouse=True)
def environment(server: ObjectStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    use(server.environment, monkeypatch)


@pytest.fixture
def proxy(server: ObjectStorage, monkeypatch: pytest.MonkeyPatch) -> Iterator[CuttingProxy]:
    proxy = CuttingProxy(server.url)
    use(server.environment | {"AWS_ENDPOINT_URL": proxy.url}, monkeypatch)
    yield proxy
    proxy.close()


def use(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process use a server: fsspec keeps what it has connected to."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    type(location("s3://market").fs).clear_instance_cache()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_checkout(tmp_path_factory.mktemp("objects") / "project")
    toy = folder / "deriv_ops/catalogs/toy.py"
    toy.write_text(toy.read_text().replace("fin_pricez1d, {})", "fin_pricez1d, {'seconds': 0})"))
    return folder


def run(folder: Path, prefix: str, *arguments: str, check: bool = True, **environment: str):
    """Run the toy model, a small one, with its market and its results below a prefix."""
    config = (f"results_dir=s3://{prefix}", "sample_dates=300", "sample_shares=12")
    return snakemake(
        *("--profile", "profiles/local", *arguments, "--config", *config),
        cwd=folder,
        check=check,
        PYTHONPATH=str(folder),
        **environment,
    )


def reruns(folder: Path, prefix: str) -> set[str]:
    out = run(folder, prefix, "--dry-run").stdout
    table = out.partition("Job stats:")[2].partition("total")[0]
    return {line.split()[0] for line in table.splitlines()[3:] if line.split()}


@pytest.mark.slow
def test_the_toy_model_by_workers_that_share_files_and_by_workers_that_do_not(
    server: ObjectStorage, project: Path, monkeypatch: pytest.MonkeyPatch
):
    run(project, "market/shared")
    log = project / "logs/temporary/fin_pricez1d.log"
    log.unlink()
    run(project, "market/apart", *APART)
    assert "s3://market/apart/temporary/fin_pricez1d.parquet" in log.read_text()
    objects, shared = (server.objects("market", name) for name in ("apart/", "shared/"))
    # The reports tell of their own runs.
    assert objects.pop("report.html") != shared.pop("report.html")
    assert len(objects) == 14
    assert objects == shared
    monkeypatch.syspath_prepend(project)
    engine = MemoryEngine("s3://market/apart/sample_market")
    for variable in load_catalog(project / "deriv_ops/catalogs/toy.py"):
        path = f"s3://market/apart/{variable.folder}/{variable.name}.parquet"
        frame = read_result(path).frame
        pd.testing.assert_frame_equal(frame, engine.compute(variable), check_exact=True)
        assert read_provenance(path)["derivation"] == variable.label
    # Nothing was kept or copied on this side.
    assert not [path for path in project.rglob("*.parquet") if "deriv_ops" not in path.parts]
    for path in project.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


@pytest.mark.slow
def test_an_outdated_object_is_made_again_with_what_follows(server: ObjectStorage, project: Path):
    run(project, "market/outdated")
    assert reruns(project, "market/outdated") == set()
    s3, key = server.client("s3"), "outdated/sample_market/Sectors.csv"
    lines = s3.get_object(Bucket="market", Key=key)["Body"].read().splitlines(keepends=True)
    time.sleep(1.1)  # the times of objects are in whole seconds
    s3.put_object(Bucket="market", Key=key, Body=b"".join(lines[:-1]))
    expected = {"all", "sectors_isin", "fin_std260d_Z1d_bysectors"}
    assert reruns(project, "market/outdated") == expected
    run(project, "market/outdated", *APART)
    assert reruns(project, "market/outdated") == set()
    name = "s3://market/outdated/temporary/fin_std260d_Z1d_bysectors.parquet"
    assert read_result(name).frame[lines[-1].split(b",")[0].decode()].isna().all()
    s3.delete_object(Bucket="market", Key="outdated/temporary/clustervol.parquet")
    assert reruns(project, "market/outdated") == {"all", "clustervol", "fin_pricedevz1d_byvol"}


@pytest.mark.slow
def test_planning_asks_for_folders_and_a_run_for_what_it_makes(
    server: ObjectStorage, project: Path
):
    prefix = "market/asked"
    with server.counting() as requests:
        run(project, prefix)
    # Planning and the workers' own requests are among them.
    assert len(requests) < 14 * 13
    with server.counting() as requests:
        assert reruns(project, prefix) == set()
    assert 1 <= len(requests) <= 5, requests
    s3 = server.client("s3")
    s3.delete_object(Bucket="market", Key="asked/temporary/clustervol.parquet")
    run(project, prefix)
    assert reruns(project, prefix) == set()


def test_the_last_object_is_removed_without_its_bucket(server: ObjectStorage):
    s3 = server.client("s3")
    s3.create_bucket(Bucket="lone")
    s3.put_object(Bucket="lone", Key="results/a.parquet", Body=b"a")
    assert remembering("s3") == "s3"
    import snakemake_storage_plugin_s3 as plugin

    stored = object.__new__(plugin.StorageObject)
    stored.query = "s3://lone/results/a.parquet"
    assert stored.exists() and stored.size() == 1
    stored.remove()
    assert not stored.exists()
    assert "lone" in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}


@pytest.mark.slow
def test_the_report_and_the_commands_tell_of_objects(
    server: ObjectStorage, project: Path, tmp_path: Path
):
    told = run(project, "market/told", "clustervol").stdout
    assert "Report of the run: s3://market/told/report.html" in told
    page = tmp_path / "report.html"
    page.write_bytes(server.objects("market", "told/")["report.html"])
    data = data_of(page)
    made = {name for name, state in states(data).items() if state == "up to date"}
    assert made == {*data["run"]["jobs"]["rule"]} - {"sample_market"}
    assert "fin_pricedevz1d_byvol" not in made
    config = ("--config", "results_dir=s3://market/told")
    shown = run_cli(project, *config, "show", "clustervol")
    assert "state      up to date" in shown
    assert "file       s3://market/told/temporary/clustervol.parquet" in shown
    assert run_cli(project, *config, "why", "clustervol").startswith("Nothing would run")
    s3 = server.client("s3")
    s3.delete_object(Bucket="market", Key="told/temporary/clustervol.parquet")
    s3.put_object(Bucket="market", Key="told/basic/all_prices.parquet", Body=b"cut")
    reasons = dict(x.split(": ", 1) for x in run_cli(project, *config, "why").splitlines())
    assert reasons["clustervol"].startswith("it has not been made yet")
    assert "s3://market/told/basic/all_prices.parquet: isn't a result" in reasons["all_prices"]
    run_cli(project, *config, "report", "--output", "s3://market/told/later.html")
    page.write_bytes(server.objects("market", "told/")["later.html"])
    assert states(data_of(page))["clustervol"] == "not made"


@pytest.mark.slow
def test_a_result_older_than_its_input_object_is_out_of_date(server: ObjectStorage, project: Path):
    run(project, "market/older", "sectors_isin")
    config = ("--config", "results_dir=s3://market/older")
    time.sleep(1.1)  # the times of objects are in whole seconds
    key = "older/sample_market/Sectors.csv"
    s3 = server.client("s3")
    s3.copy_object(
        Bucket="market",
        Key=key,
        CopySource=f"market/{key}",
        Metadata={"again": ""},
        MetadataDirective="REPLACE",
    )
    told = run_cli(project, *config, "why", "sectors_isin")
    assert told == f"sectors_isin: its input s3://market/{key} is newer\n"


@pytest.mark.parametrize("columns", [3, 8000])
def test_the_footer_of_an_object_is_read_by_its_end(server: ObjectStorage, columns: int):
    path = location(f"s3://market/footers/{columns}.parquet")
    write_result(path, pd.DataFrame(1.0, FRAME.index[:2], [f"s{i}" for i in range(columns)]), {})
    assert read_provenance(path) == {}


def test_a_missing_bucket_ends_the_run_with_its_name(project: Path):
    out = run(project, "nowhere/x", check=False)
    assert out.returncode == 1
    assert "s3://nowhere/x: there is no bucket nowhere; make it, or name another" in out.stdout
    assert "Traceback" not in out.stdout


def test_wrong_credentials_end_the_run_and_are_not_shown(server: ObjectStorage, project: Path):
    with server.only_for_a_reader():
        out = run(project, "market/secret", check=False)
    assert out.returncode == 1
    assert "s3://market/secret: the storage can't be used: " in out.stdout
    assert "look at the credentials in the environment" in out.stdout
    assert SECRET not in out.stdout


@pytest.mark.slow
def test_without_the_right_to_write_the_job_fails_and_names_the_object(
    server: ObjectStorage, project: Path
):
    with server.only_for_a_reader() as reader:
        out = run(project, "market/denied", "sample_market", check=False, **reader)
    assert out.returncode == 1
    told = "s3://market/denied/sample_market/all_prices.csv: can't be written: "
    assert told in out.stdout
    assert "look at the credentials in the environment" in out.stdout
    assert server.objects("market", "denied/") == {}
    assert reader["AWS_SECRET_ACCESS_KEY"] not in out.stdout


def test_no_credentials_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    type(location("s3://market").fs).clear_instance_cache()
    with pytest.raises(ConfigError, match=r"s3://market/in: the storage can't be used: .*redent"):
        find_table(location("s3://market/in/prices.csv"))


@pytest.mark.parametrize("cuts", [1, 2])
def test_a_connection_cut_in_the_middle_is_made_again(proxy: CuttingProxy, cuts):
    path = location(f"s3://market/cut{cuts}/x.parquet")
    proxy.cuts = {"PUT": cuts, "GET": cuts}
    write_result(path, FRAME, {"run": 1})
    assert proxy.done == cuts
    read = read_result(path)
    assert proxy.done == 2 * cuts
    pd.testing.assert_frame_equal(read.frame, FRAME, check_exact=True, check_freq=False)


def test_a_connection_that_stays_cut_leaves_the_old_result(
    server: ObjectStorage, proxy: CuttingProxy, monkeypatch: pytest.MonkeyPatch
):
    # Of its own tries within each of s3fs's, so that the test doesn't wait for minutes.
    use({"AWS_MAX_ATTEMPTS": "1"}, monkeypatch)
    path = location("s3://market/stays/x.parquet")
    write_result(path, FRAME, {"run": 1})
    proxy.cuts = {"PUT": 1000}
    with pytest.raises(OutputError, match=r"s3://market/stays/x\.parquet: can't be written: "):
        write_result(path, FRAME * 2, {"run": 2})
    assert list(server.objects("market", "stays/")) == ["x.parquet"]
    assert read_result(path).provenance == {"run": 1}
    proxy.cuts = {"GET": 1000}
    with pytest.raises(InputFileError, match=r"s3://market/stays/x\.parquet: isn't a result that"):
        read_result(path)


@pytest.mark.slow
def test_a_run_goes_through_cut_connections(
    server: ObjectStorage, proxy: CuttingProxy, project: Path
):
    proxy.cuts = {"PUT": 2, "GET": 2}
    run(project, "market/through", "fin_pricez1d", AWS_ENDPOINT_URL=proxy.url)
    assert proxy.done == 4
    assert "temporary/fin_pricez1d.parquet" in server.objects("market", "through/")


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "csv.zst", "parquet", "feather"])
def test_tables_of_every_kind_are_read_from_objects(
    server: ObjectStorage, tmp_path: Path, suffix: str
):
    write_market(tmp_path, dates=30, shares=5, seed=1)
    expected = read_table(tmp_path / "all_prices.csv")
    local = tmp_path / f"prices.{suffix}"
    if "csv" in suffix:
        text = (tmp_path / "all_prices.csv").read_bytes()
        codec = {"gz": "gzip", "zst": "zstd"}.get(suffix.rpartition(".")[2])
        with pa.output_stream(str(local), compression=codec) as file:
            file.write(text)
    else:
        getattr(expected, f"to_{suffix}")(local)
    server.client("s3").upload_file(str(local), "market", f"tables/{suffix}/{local.name}")
    kind = re.sub(r"\.(gz|zst)$", "", local.name)
    found = find_table(location(f"s3://market/tables/{suffix}") / kind)
    pd.testing.assert_frame_equal(read_table(found), expected)
    assert find_table(location(f"s3://market/tables/{suffix}") / "none.csv") is None


def test_a_bad_object_is_refused_with_its_address(server: ObjectStorage):
    server.client("s3").put_object(Bucket="market", Key="bad/x.csv", Body=b"date,A\n2020-13-01,1\n")
    with pytest.raises(InputFileError, match=r"^s3://market/bad/x\.csv: not dates"):
        read_table(location("s3://market/bad/x.csv"))


def test_a_storage_whose_library_is_not_installed():
    with pytest.raises(ConfigError, match=r"nosuch://x/y: can't be used: .*pip install"):
        location("nosuch://x/y")
