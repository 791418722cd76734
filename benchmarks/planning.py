"""What it takes to plan: the parse and dry-run of catalogs against bare Snakefiles as large.

    python benchmarks/planning.py

A bare Snakefile has rules of the same names, inputs and outputs, written out, with one script.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from deriv_ops.config import Config
from deriv_ops.rules import rule_specs

ROOT = Path(__file__).parent.parent
RUNS = 2


def planned(folder: Path, *arguments: str) -> float:
    """Return the seconds of a dry-run, the least of some."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1"]
    command += ["--scheduler", "greedy", *arguments, "--quiet", "all"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
    least = float("inf")
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
        least = min(least, time.perf_counter() - began)
    return least


def bare(config: Config, folder: Path) -> int:
    """Write a Snakefile with the rules of a catalog; return how many there are."""
    rules, targets, inputs = [], [], set()
    for spec in rule_specs(config.load_catalog(), config):
        targets.append(spec.output)
        inputs |= {name for name in spec.input if "sample_market" in name}
        rules.append(
            f"rule {spec.name}:\n    input: {spec.input!r}\n    output: {spec.output!r}\n"
            f"    log: {spec.log!r}\n    script: 'nothing.py'\n"
        )
    head = f"rule all:\n    input: {targets!r}\nrule sample:\n    output: {sorted(inputs)!r}\n"
    head += "    script: 'nothing.py'\n"
    (folder / "Snakefile").write_text(head + "".join(rules))
    (folder / "nothing.py").write_text("")
    return len(rules)


def main() -> None:
    """Print the table."""
    values = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    catalogs = {name: f"deriv_ops.catalogs.{name}" for name in ("toy", "medium", "full")}
    catalogs["prices"] = str(ROOT / "benchmarks/prices.py")
    print(f"{'catalog':9}{'rules':>7}{'bare s':>9}{'ours s':>9}{'ratio':>8}")
    for name in ("toy", "prices", "medium", "full"):
        config = Config.of(values | {"catalog": catalogs[name]})
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            count = bare(config, folder)
            plain = planned(folder)
            ours = ["--snakefile", str(ROOT / "Snakefile"), "--configfile"]
            ours += [str(ROOT / "config/config.yaml"), "--config", f"catalog={config.catalog}"]
            took = planned(folder, *ours)
            print(f"{name:9}{count:7}{plain:9.1f}{took:9.1f}{took / plain:8.2f}", flush=True)
            if name == "full":
                one = planned(folder, "results/prices/rsi__period_14.parquet", *ours)
                print(f"one target of {count} rules: {one:.1f} s")


if __name__ == "__main__":
    main()
