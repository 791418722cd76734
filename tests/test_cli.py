"""The commands, in a project whose toy model has been computed."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from conftest import ROOT, edit, run_cli


def test_ls_lists_what_a_run_can_be_told(finished: Path):
    names = run_cli(finished, "ls").split()
    assert names[0] == "all_prices" and len(names) == 11
    assert run_cli(finished, "ls", "fin_price*dev*").split() == [
        "fin_pricedevz1d_byvol",
        "fin_pricedevz1d_byuniver",
    ]
    assert len(run_cli(finished, "ls", "--operator", "calc_dev_by").split()) == 3
    assert len(run_cli(finished, "ls", "--folder", "basic").split()) == 3
    assert run_cli(finished, "ls", "--out-of-date") == ""
    (line,) = run_cli(finished, "ls", "-l", "clustervol").splitlines()[1:]
    assert line.split()[:5] == ["up", "to", "date", "300", "12"]
    assert "clustervol = get_clusters(fin_rdt_1d_std, levels=5, dend='2017-06-30')" in line


def test_show_says_what_from_what_and_for_what(finished: Path):
    text = run_cli(finished, "show", "clustervol")
    lines = text.splitlines()
    assert lines[0] == "clustervol = get_clusters(fin_rdt_1d_std, levels=5, dend='2017-06-30')"
    for part in (
        "state      up to date",
        "results/temporary/clustervol.parquet",
        "deriv_ops/catalogs/toy.py:22",
    ):
        assert part in text
    assert "made of    fin_rdt_1d_std = ewmstd(" in text
    assert "used by    fin_pricedevz1d_byvol = calc_dev_by(" in text


def test_graph_goes_so_many_steps_up_and_down(finished: Path, tmp_path: Path):
    text = run_cli(finished, "graph", "clustervol", "--up", "1", "--down", "1")
    assert "fin_rdt_1d_std = ewmstd" in text and "fin_pricedevz1d_byvol" in text
    assert "fin_rdt_1d_all = " not in text and "2 more" in text
    assert "all_prices = all_prices.csv" in run_cli(finished, "graph", "clustervol", "--up", "3")
    assert "calc_dev_by(fin_pricez1d, clustervol, do_reduce=False, clusterishito=True)" in text
    run_cli(finished, "graph", "clustervol", "--svg", str(tmp_path / "graph.svg"))
    assert ET.parse(tmp_path / "graph.svg").getroot().tag.endswith("svg")
    assert "url(" not in (tmp_path / "graph.svg").read_text().replace("url(#", "")


def test_why_says_each_reason_in_words(project: Path):
    assert run_cli(project, "why") == "Nothing would run: all is up to date.\n"
    toy = project / "deriv_ops/catalogs/toy.py"
    edit(toy, "'levels': 5", "'levels': 4")
    edit(toy, "[fin_pricez1d, Basic.sectors_isin]", "[fin_rdt_1d_all, Basic.sectors_isin]")
    edit(project / "deriv_ops/operators/pctdelta.py", "return ", "del x\n    return ")
    (project / "results/temporary/a.parquet").unlink()
    (project / "results/sample_market/marketcap.csv").touch()
    (project / "results/temporary/fin_pricez1d.parquet").write_bytes(b"PAR1 cut")
    told = dict(line.split(": ", 1) for line in run_cli(project, "why").splitlines())
    assert told["clustervol"] == "levels is 4, and was 5; follows fin_rdt_1d_std"
    assert told["fin_rdt_1d_all"] == "the code of the operator pctdelta has changed"
    assert told["a"] == "it has not been made yet; follows fin_pricez1d"
    assert told["marketcap"] == "its input results/sample_market/marketcap.csv is newer"
    assert told["fin_pricez1d"].startswith("its file can't be read: ")
    assert told["fin_std260d_Z1d_bysectors"].startswith(
        "its list of parents is Temporary.fin_rdt_1d_all, Basic.sectors_isin, and was "
    )
    assert told["fin_rdt_1d_std"] == "follows fin_rdt_1d_all"
    assert set(told) == {*run_cli(project, "ls", "--out-of-date").split()}
    # Of one, with what it needs.
    names = [line.partition(":")[0] for line in run_cli(project, "why", "clustervol").splitlines()]
    assert names == ["fin_rdt_1d_all", "fin_rdt_1d_std", "clustervol"]


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["show", "clustervoll"], "not in the catalog deriv_ops.catalogs.toy; did you mean"),
        (["--config", "catalog=deriv_ops.catalogs.medium", "show", "simple"], "a Map, of several"),
        (["why", "nothing"], "vars_to_launch: not in the catalog"),
        (["--config", "catalog=nowhere", "ls"], "1 mistake in the catalog nowhere:"),
        (["--config", "catalog", "ls"], "--config catalog: write KEY=VALUE"),
        (["--config", "codec=zip", "ls"], "codec: 'zip' is not one of"),
        (["--configfile", "no.yaml", "ls"], "no.yaml: no such file in"),
        (["report", "--run", "config/config.yaml"], "config.yaml:1: is not the record of a run"),
    ],
)
def test_mistakes_are_told_without_a_traceback(finished: Path, arguments, told):
    text = run_cli(finished, *arguments, code=1)
    assert told in text and "Traceback" not in text


def test_a_sample_of_all_tables(finished: Path, tmp_path: Path):
    size = ["--dates", "30", "--shares", "5"]
    printed = run_cli(finished, "sample", f"{tmp_path}/one", *size).splitlines()
    assert [Path(line).stem for line in printed] == ["all_prices", "marketcap", "Sectors"]
    assert all(Path(line).exists() for line in printed)
    printed = run_cli(finished, "sample", f"{tmp_path}/two", *size, "--tables").splitlines()
    assert len(printed) == 3 + 276


def test_the_talk_s_command_computes_what_it_is_told(project: Path):
    (project / "vars.txt").write_text("fin_rdt_1d_all\n")
    python = [sys.executable, "-c", "from deriv_ops.cli import toy_model; toy_model()"]
    path = [str(project), str(ROOT / "snakemake-executor-plugin-dask")]
    subprocess.run(
        [*python, "-l", "vars.txt", "-f", "elsewhere"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        check=True,
        timeout=100,
    )
    made = {path.stem for path in (project / "elsewhere").rglob("*.parquet")}
    assert made == {"all_prices", "fin_rdt_1d_all"}
