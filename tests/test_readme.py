"""The examples of the README do what it says of them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT, copy_checkout, snakemake

from deriv_ops.sample import write_market

pytestmark = pytest.mark.slow


def example(name: str) -> str:
    text = (ROOT / "README.md").read_text()
    (block,) = re.findall(rf"<!-- test: {name} -->\n```\w+\n(.*?)```", text, re.DOTALL)
    return block


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_checkout(tmp_path_factory.mktemp("readme") / "project")
    (folder / "local").symlink_to("profiles/local")
    (folder / "vars.txt").write_text("clustervol\n")
    return folder


def run(folder: Path, command: str) -> str:
    name, *arguments = command.split()
    assert name == "snakemake"
    return snakemake(*arguments, cwd=folder, PYTHONPATH=str(folder)).stdout


def test_the_commands_and_the_notebook(project: Path):
    for line in example("run").splitlines():
        run(project, line.partition("#")[0])
    subprocess.run(
        [sys.executable, "-c", example("notebook")],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project)},
        check=True,
        timeout=60,
    )


def test_the_commands_that_show_the_run(project: Path):
    run(project, "snakemake clustervol fin_pricez1d")
    for line in example("see").splitlines():
        _, *arguments = shlex.split(line, comments=True)
        done = subprocess.run(
            [sys.executable, "-c", "from deriv_ops.cli import main; main()", *arguments],
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(project)},
            check=True,
            timeout=60,
            capture_output=True,
            text=True,
        )
        if "failed" in arguments:  # none has
            assert "fin_" not in done.stdout
            continue
        assert any(name in done.stdout for name in ("fin_pricez1d", "up to date", "report.html"))
    for line in example("report").splitlines():
        run(project, line)
    assert (project / "report.zip").is_file()


def test_tables_of_one_s_own(project: Path, tmp_path: Path):
    write_market(tmp_path, dates=30, shares=5, seed=2)
    run(project, example("inputs").strip().replace("/data/market", str(tmp_path)))
    assert pd.read_parquet(project / "results/market/temporary/a.parquet").shape == (30, 5)


def test_the_larger_catalogs(project: Path):
    command = example("larger").strip().replace("dates=300", "dates=80").replace("=40", "=6")
    run(project, f"{command} --dry-run")
    run(project, f"{command} --until sample_tables")
    assert len(list((project / "results/medium/sample_market").rglob("*.parquet"))) == 276


def test_a_new_derivation_and_a_new_operator(project: Path):
    written = project / "deriv_ops/operators/range_position.py"
    written.write_text(example("operator"))
    path = {**os.environ, "PYTHONPATH": str(project)}
    subprocess.run([sys.executable, "-m", "doctest", written], env=path, check=True, timeout=60)
    added = "    position = Var(op.range_position, Basic.all_prices, {'window': 20})\n"
    (project / "config/catalog.py").write_text(example("derivation") + added)
    out = run(
        project, "snakemake --config catalog=config/catalog.py vars_to_launch=by_sector --list"
    )
    assert "smooth__trend__period_20__window_5" in out
    run(project, "snakemake position with_risk --config catalog=config/catalog.py")
    frame = pd.read_parquet(project / "results/momentum/position.parquet")
    assert frame.min(axis=None) == 0
    assert frame.max(axis=None) == 1
