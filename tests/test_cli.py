"""The commands, in a project whose toy model has been computed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import combinations
from pathlib import Path

import pytest
from conftest import ROOT, edit, run, run_cli

from deriv_ops import Var, load_catalog
from deriv_ops.store import read_summary


@pytest.mark.slow
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
    assert len(run_cli(finished, "ls", "--state", "up to date").split()) == 11
    assert run_cli(finished, "ls", "--state", "not made") == ""
    _, holds = read_summary(finished / "results/temporary/clustervol.parquet")
    for share, is_listed in ((holds["missing"], True), (holds["missing"] + 1e-6, False)):
        assert ("clustervol" in run_cli(finished, "ls", "--missing", f"{share}")) == is_listed
    medium = ["--config", "catalog=deriv_ops.catalogs.medium"]
    members = run_cli(finished, *medium, "ls", "--map", "simple").split()
    assert members and all(name.startswith("simple__period_") for name in members)
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


def test_a_map_is_shown_in_short_and_a_derivation_of_its_name_before_it(finished: Path):
    full = ["--config", "catalog=deriv_ops.catalogs.full"]
    text = run_cli(finished, *full, "show", "market")
    assert text.startswith("market = ") and "also the name of a Map" in text
    assert "made of" in run_cli(finished, *full, "graph", "market", "--up", "1")
    text = run_cli(finished, *full, "show", "mean")
    assert text.startswith("mean: a Map, of ") and " not made" in text
    assert len(text.splitlines()) == 7 and "deriv-ops ls --map mean" in text
    assert len(run_cli(finished, *full, "graph", "mean", code=1)) < 500


def test_graph_goes_so_many_steps_up_and_down(finished: Path, tmp_path: Path):
    text = run_cli(finished, "graph", "clustervol", "--up", "1", "--down", "1")
    assert "fin_rdt_1d_std = ewmstd" in text and "fin_pricedevz1d_byvol" in text
    assert "fin_rdt_1d_all = " not in text and "2 more" in text
    assert "all_prices = all_prices.csv" in run_cli(finished, "graph", "clustervol", "--up", "3")
    assert "calc_dev_by(fin_pricez1d, clustervol, do_reduce=False, clusterishito=True)" in text
    run_cli(finished, "graph", "clustervol", "--svg", str(tmp_path / "graph.svg"))
    assert ET.parse(tmp_path / "graph.svg").getroot().tag.endswith("svg")
    assert "url(" not in (tmp_path / "graph.svg").read_text().replace("url(#", "")


def test_the_picture_of_a_graph_has_its_nodes_and_edges(finished: Path, tmp_path: Path):
    svg = tmp_path / "graph.svg"
    run_cli(finished, "graph", "clustervol", "--up", "9", "--down", "1", "--svg", str(svg))
    names = {"{http://www.w3.org/2000/svg}" + kind: kind for kind in ("text", "path", "rect")}
    found = [(names[e.tag], e) for e in ET.parse(svg).iter() if e.tag in names]
    shown = [e.text for kind, e in found if kind == "text"]
    # Those on two ways to it are there once.
    assert sorted(map(str, shown)) == sorted({*map(str, shown)})
    assert {"all_prices", "fin_rdt_1d_std", "clustervol", "fin_pricedevz1d_byvol"} <= {*shown}
    boxes = [e for kind, e in found if kind == "rect" and e.get("rx")]
    assert len(boxes) == len(shown)
    arrows = [e for kind, e in found if kind == "path" and e.get("marker-end")]
    catalog = load_catalog("deriv_ops.catalogs.toy")
    inside = [(p.name, v.name) for v in catalog if isinstance(v, Var) for p in v.parents]
    assert len(arrows) == sum(set(edge) <= set(shown) for edge in inside)
    spans = [[float(box.get(k) or 0) for k in ("x", "y", "width", "height")] for box in boxes]
    for one, other in combinations(spans, 2):
        apart = (one[0] + one[2] <= other[0], other[0] + other[2] <= one[0])
        assert any(apart) or abs(one[1] - other[1]) >= one[3]


@pytest.mark.slow
def test_why_says_each_reason_in_words(project: Path):
    assert run_cli(project, "why") == "Nothing would run: all is up to date.\n"
    toy = project / "deriv_ops/catalogs/toy.py"
    edit(toy, "'levels': 5", "'levels': 4")
    edit(toy, "[fin_pricez1d, Basic.sectors_isin]", "[fin_rdt_1d_all, Basic.sectors_isin]")
    edit(project / "deriv_ops/operators/pctdelta.py", "return ", "del x\n    return ")
    (project / "results/temporary/a.parquet").unlink()
    market = project / "results/sample_market/marketcap.csv"
    market.write_text(market.read_text().replace("1", "2"))
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


def would_make(project: Path, *names: str) -> tuple[set[str], set[str]]:
    """What `why` says a run would make, and what Snakemake says."""
    lines = run_cli(project, "why", *names).splitlines()
    said = {line.partition(":")[0] for line in lines if not line.startswith("Nothing")}
    dry = run(project, "--dry-run", *names).stdout
    planned = set(
        re.findall(r"^(\w+) +\d+$", dry.partition("Job stats")[2].partition("total")[0], re.M)
    )
    return said, planned - {"all", "job"}


@pytest.mark.slow
def test_what_a_run_would_make_is_what_snakemake_makes(project: Path):
    prices = project / "results/basic/all_prices.parquet"
    market = project / "results/sample_market/all_prices.csv"
    assert would_make(project) == (set(), set())
    # What is missing isn't made for a result that is there.
    for name in ("fin_rdt_1d_std", "fin_rdt_1d_all"):
        (project / f"results/temporary/{name}.parquet").unlink()
    assert would_make(project, "clustervol") == (set(), set())
    said, planned = would_make(project)
    assert said == planned >= {"fin_rdt_1d_std", "fin_rdt_1d_all", "clustervol"}
    # An input that was written anew with the same content makes nothing.
    market.touch()
    prices.touch()
    assert would_make(project, "clustervol") == (set(), set())
    # Unless what is missing has changed since.
    edit(project / "deriv_ops/operators/pctdelta.py", "return ", "del x\n    return ")
    said, planned = would_make(project, "clustervol")
    assert said == planned >= {"fin_rdt_1d_all", "clustervol"}


@pytest.mark.slow
def test_remade_with_equal_content_it_makes_nothing_of_its_children(project: Path):
    (project / "results/temporary/fin_rdt_1d_all.parquet").unlink()
    run(project, "--profile", "profiles/local", "fin_rdt_1d_all")
    said, planned = would_make(project)
    assert said == planned == set()
    (line,) = run_cli(project, "ls", "-l", "fin_rdt_1d_std").splitlines()[1:]
    assert line.startswith("up to date")


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["show", "clustervoll"], "not in the catalog deriv_ops.catalogs.toy; did you mean"),
        (
            ["--config", "catalog=deriv_ops.catalogs.medium", "show", "simplee"],
            "did you mean 'simple'",
        ),
        (["ls", "--operator", "zscor"], "--operator zscor: none of the catalog"),
        (["ls", "--folder", "temporry"], "did you mean 'temporary'?"),
        (["ls", "--map", "nothing"], "--map nothing: none of the catalog"),
        (["why", "nothing"], "vars_to_launch: not in the catalog"),
        (["--config", "catalog=nowhere", "ls"], "1 mistake in the catalog nowhere:"),
        (["--config", "catalog", "ls"], "--config catalog: write KEY=VALUE"),
        (["--config", "codec=zip", "ls"], "codec: 'zip' is not one of"),
        (["--configfile", "no.yaml", "ls"], "no.yaml: no such file in"),
        (["report", "--run", "config/config.yaml"], "config.yaml: is not the record of a run"),
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


@pytest.mark.parametrize(
    "given",
    [
        ["-l", "vars.txt"],
        pytest.param(["-l", "fin_rdt_1d_all,fin_pricez1d"], marks=pytest.mark.slow),
        pytest.param(["-l", "a", "-l", "all_prices"], marks=pytest.mark.slow),
    ],
)
def test_the_talk_s_command_computes_what_it_is_told(project: Path, tmp_path: Path, given):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "vars.txt").write_text("fin_rdt_1d_all\n")
    code = (
        "import subprocess, sys; from deriv_ops import cli;"
        "subprocess.run = lambda *args, **more: print(args, more) or sys.exit(); cli.toy_model()"
    )
    path = [str(project), str(ROOT / "snakemake-executor-plugin-dask")]
    done = subprocess.run(
        [sys.executable, "-c", code, *given, "-f", "made"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        check=True,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert f"'cwd': PosixPath('{project}')" in done.stdout
    (names,) = re.findall(r"vars_to_launch=(\[.*?\])'", done.stdout)
    made = run(
        *(project, "--profile", "profiles/local", "--config", f"vars_to_launch={names}"),
        f"results_dir={folder}/made",
    )
    assert f"results_dir={folder}/made" in done.stdout and made.returncode == 0
    names = {path.stem for path in (folder / "made").rglob("*.parquet")}
    assert names >= {name for text in given[1::2] for name in text.split(",") if "." not in text}
    assert "all_prices" in names and ("fin_rdt_1d_all" in names or "a" in names)
