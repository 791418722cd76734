"""Derivations computed block by block, on cases of every operator's oracle."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from frames import frame
from oracles import Case
from test_operators import ORACLES, each

from deriv_ops import blocks, op
from deriv_ops.block_files import Scratch, Source
from deriv_ops.blocks import Limits
from deriv_ops.errors import InputFileError, MemoryLimitError, OperatorError, OutputError
from deriv_ops.job import compute
from deriv_ops.operators.declare import Operator
from deriv_ops.readers import read_table
from deriv_ops.references import reference
from deriv_ops.store import read_result, write_result

CASES = 4  # of each operator: what they promise of single shares and dates is tried on all
IN_BLOCKS = [
    (getattr(op, name), case)
    for name, module in ORACLES.items()
    for case in [case for case in module.CASES if len(frame(case.inputs[0]))][:CASES]
    if getattr(op, name).kind != "panel"
]


def limits(inputs: list[Path], cells: int, threads: int = 1) -> Limits:
    """Limits that leave room for blocks of so many cells."""
    columns = len(Source(inputs[0]).columns)
    room = blocks.frames_at_work(len(inputs)) * 8 * cells
    files = blocks._FILE_COLUMN * columns * max(2, len(inputs))
    return Limits(blocks._BASE + files + room * threads, threads)


def written(folder: Path, names: tuple[str, ...]) -> list[Path]:
    """The frames of a case as results."""
    paths = []
    for at, name in enumerate(names):
        path = folder / f"{at}.parquet"
        write_result(path, frame(name), {"digests": {"result": name}})
        paths.append(path)
    return paths


@each(IN_BLOCKS)
def test_same_bit_for_bit(operator: Operator, case: Case, tmp_path: Path) -> None:
    inputs = written(tmp_path, case.inputs)
    params = operator.check_params(case.params)[0]
    first, *others = [read_result(path).frame for path in inputs]
    whole = operator.apply([first, *others], params)
    # Blocks of about a third of the shares, or of the dates.
    longest = max(len(table) for table in (first, *others))
    limit = limits(inputs, max(longest * first.shape[1] // 3, longest, first.shape[1]), 2)
    output = tmp_path / "out.parquet"

    def derive() -> dict[str, Any]:
        return blocks.derive(
            operator, params, inputs, output, {"made": "so"}, limit, "none", "float64"
        )

    kinds = [declared.kind for declared in operator.inputs]
    groups = [table for kind, table in zip(kinds, (first, *others)) if kind == "groups"]  # noqa: B905
    if params.get("do_reduce") and any(isinstance(g.index, pd.DatetimeIndex) for g in groups):
        with pytest.raises(MemoryLimitError, match="groups that change it has to see all dates"):
            derive()
        assert not output.exists()
        return
    summary = derive()
    result = read_result(output)
    assert result.provenance == {"made": "so"}
    assert result.frame.to_numpy().tobytes() == whole.to_numpy().tobytes()
    assert summary == write_result(tmp_path / "whole.parquet", whole, {"made": "so"})
    assert output.read_bytes() == (tmp_path / "whole.parquet").read_bytes()


@pytest.mark.parametrize("codec", ["none", "zstd"])
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_jobs_that_do_not_fit(tmp_path: Path, codec: str, precision: str) -> None:
    """A table, a time series and a cross section of it, by the job itself, whole and in blocks."""
    table = pd.concat([frame("prices")] * 40, axis=1).set_axis(
        [f"S.{i}" for i in range(480)], axis=1
    )
    table.to_parquet(tmp_path / "table.parquet")
    derivations = {
        "table": {"reader": reference(read_table), "file": "table.parquet"},
        "moving": {"operator": "deriv_ops.operators.moving_std:moving_std", "parents": ["table"]},
        "ranks": {"operator": "deriv_ops.operators.rank:rank", "parents": ["moving"]},
        "mean": {"operator": "deriv_ops.operators.average:average", "parents": ["ranks", "table"]},
    }
    params: dict[str, dict[str, Any]] = {
        "moving": {"window": 60, "min_periods": 20},
        "ranks": {"pct": True},
    }
    ways = {"whole": None, "blocks": Limits(blocks._BASE + 6 * 2**20, 2)}
    for way, limit in ways.items():
        folder = tmp_path / way
        for name, derivation in derivations.items():
            operator = blocks_operator(derivation)
            checked = operator.check_params(params.get(name, {}))[0] if operator else {}
            full = {"derivation": name, "precision": precision, "code": "1", **derivation}
            full |= {"params": checked} if operator else {}
            inputs = [folder / f"{parent}.parquet" for parent in derivation.get("parents", [])]
            inputs = inputs or [tmp_path / "table.parquet"]
            assert limit is None or blocks.needed(inputs, operator, checked) > limit.memory
            compute(full, inputs, folder / f"{name}.parquet", codec, limit)
    for name in derivations:
        texts = [(tmp_path / way / f"{name}.parquet").read_bytes() for way in ways]
        assert texts[0] == texts[1], name


def blocks_operator(derivation: dict[str, Any]) -> Operator | None:
    from deriv_ops.references import resolve

    return resolve(derivation["operator"]) if "operator" in derivation else None


# Of long, wide and middling frames, and windows of few rows, of some and of most.
SHAPES = [(1000, 200), (60, 5000), (5000, 30)]
WINDOWS = [20, 260, 900, 2400, 100_000]


@pytest.mark.parametrize("name", sorted(ORACLES))
@pytest.mark.parametrize(("rows", "columns"), SHAPES, ids=str)
def test_operators_take_as_much_memory_as_is_reckoned(name: str, rows: int, columns: int) -> None:
    operator: Operator = getattr(op, name)
    if operator.kind == "panel" and columns > rows:
        pytest.skip("clustering takes as much as shares x shares")
    params = operator.check_params(ORACLES[name].CASES[0].params)[0]
    windows = [{"window": w} for w in WINDOWS] if "window" in params else [{}]
    rng = np.random.default_rng(0)
    dates = pd.bdate_range("2015-01-01", periods=rows)
    shares = [f"S{i}" for i in range(columns)]

    def table(kind: str) -> pd.DataFrame:
        values = (
            rng.integers(0, 9, (rows, columns)) if kind == "groups" else rng.random((rows, columns))
        )
        return pd.DataFrame(values.astype("float64"), dates, shares).mask(
            values > 0.95 * values.max()
        )

    inputs = [table(declared.kind) for declared in operator.inputs]
    own = blocks.frames_at_work(len(inputs)) - len(inputs)
    operator.apply([each.head(3) for each in inputs], params)  # what is made once isn't counted
    for window in windows:
        tracemalloc.start()
        try:
            operator.apply(inputs, params | window)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak / (8 * rows * columns) <= own, window


COMPRESSIBLE = {
    "constant": lambda shape: np.zeros(shape),
    "noise": lambda shape: np.random.default_rng(0).normal(size=shape),
}


@pytest.mark.parametrize("codec", ["none", "lz4", "zstd"])
@pytest.mark.parametrize("kind", COMPRESSIBLE)
def test_what_is_needed_is_of_the_numbers_and_not_of_the_file(
    tmp_path: Path, kind: str, codec: str
) -> None:
    dates = pd.bdate_range("2020-01-01", periods=300, name="date", unit="us")
    values = COMPRESSIBLE[kind]((300, 50))
    table = pd.DataFrame(values, dates, [f"S{i}" for i in range(50)], copy=False)
    write_result(tmp_path / "x.parquet", table, {"digests": {}}, codec)
    table.to_parquet(tmp_path / "y.parquet")  # of a user's, with dictionaries
    expected = blocks._BASE + 8 * 300 * 50 * blocks.frames_at_work(1)
    assert blocks.needed([tmp_path / "x.parquet"]) == expected
    assert expected <= blocks.needed([tmp_path / "y.parquet"]) <= expected * 1.02
    clusters: Any = blocks_operator({"operator": "deriv_ops.operators.get_clusters:get_clusters"})
    params = clusters.check_params({"on": "correlation"})[0]
    more = blocks.needed([tmp_path / "x.parquet"], clusters, params)
    assert more == expected + 8 * 12 * 50**2


def test_clusters_take_as_much_memory_as_is_reckoned() -> None:
    """Of many shares, where the correlations of all pairs take more than the frames."""
    dates = pd.bdate_range("2015-01-01", periods=80)
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 400)), dates)
    table.columns = table.columns.astype("str")
    clusters = op.get_clusters
    for on in ("level", "correlation"):
        params = clusters.check_params({"on": on, "min_periods": 5})[0]
        clusters.apply([table], params)
        tracemalloc.start()
        try:
            clusters.apply([table], params)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        frames = blocks.frames_at_work(1) - 1
        reckoned = 8 * (frames * table.size + clusters.working_numbers(400, params))
        assert reckoned / 4 < peak <= reckoned


def test_numbers_that_single_precision_cannot_hold(tmp_path: Path) -> None:
    table = frame("prices").astype("float64")
    table.iloc[3, 2], table.iloc[5, 1] = 1e300, -1e39
    table.to_parquet(tmp_path / "table.parquet")
    full = {"derivation": "t", "precision": "float32", "code": "1", "file": "table.parquet"}
    full |= {"reader": reference(read_table)}
    for name, limit in {"whole": None, "blocks": Limits(blocks._BASE + 500_000, 1)}.items():
        output = tmp_path / f"{name}.parquet"
        compute(full, [tmp_path / "table.parquet"], output, "none", limit)
        read = pd.read_parquet(output)
        assert not np.isinf(read.to_numpy()).any()
        assert np.isnan(read.iloc[3, 2]) and np.isnan(read.iloc[5, 1])
        assert read.isna().sum().sum() == table.isna().sum().sum() + 2


@pytest.mark.parametrize("operator, weights", [(op.calc_dev_by, ()), (op.weighted_mean, ("caps",))])
def test_groups_that_all_dates_have_keep_their_names(
    operator: Operator, weights: tuple[str, ...], tmp_path: Path
) -> None:
    inputs = written(tmp_path, ("prices", *weights))
    x, *others = [read_result(path).frame for path in inputs]
    # Not in the order of the names, nor of their first letters.
    names = ["Utilities", "Energy", "10", "9"]
    moves = [np.roll(np.resize(names, x.shape[1]), row) for row in range(len(x))]
    groups = pd.DataFrame(moves, x.index, x.columns)
    inputs.append(tmp_path / "groups.parquet")
    write_result(inputs[-1], groups, {})
    params = operator.check_params({"do_reduce": True})[0]
    whole = operator.apply([x, *others, groups], params)
    assert list(whole.columns) == sorted(names)
    limit = limits(inputs, x.size // 3)
    output = tmp_path / "out.parquet"
    blocks.derive(operator, params, inputs, output, {}, limit, "none", "float64")
    pd.testing.assert_frame_equal(read_result(output).frame, whole, check_exact=True)


@pytest.mark.parametrize("operator", [op.moving_std, op.rank])
def test_text_is_refused_as_in_whole_frames(operator: Operator, tmp_path: Path) -> None:
    inputs = [tmp_path / "text.parquet"]
    frame("labels_text").to_parquet(inputs[0])
    params = operator.check_params({})[0]
    with pytest.raises(OperatorError) as whole:
        operator.apply([pd.read_parquet(inputs[0])], params)
    with pytest.raises(OperatorError) as by_blocks:
        blocks.derive(
            *(operator, params, inputs, tmp_path / "out.parquet", {}),
            *(limits(inputs, 1000), "none", "float64"),
        )
    assert str(by_blocks.value) == str(whole.value)
    assert "isn't numbers in the columns" in str(whole.value)


def test_what_is_taken_whole(tmp_path: Path) -> None:
    inputs = written(tmp_path, ("prices",))
    small = Limits(blocks._BASE, 1)
    clusters: Any = blocks_operator({"operator": "deriv_ops.operators.get_clusters:get_clusters"})
    with pytest.raises(MemoryLimitError, match=r"get_clusters takes frames whole.*mem_mb"):
        blocks.derive(clusters, {}, inputs, tmp_path / "out.parquet", {}, small, "none", "float64")
    zscore: Any = blocks_operator({"operator": "deriv_ops.operators.zscore:zscore"})
    params = zscore.check_params({})[0]
    with pytest.raises(MemoryLimitError, match="too little for one share"):
        blocks.derive(
            zscore, params, inputs, tmp_path / "out.parquet", {}, small, "none", "float64"
        )
    text = pd.DataFrame({"AAL": ["x", "y"]}, pd.bdate_range("2020-01-01", periods=2))
    text.to_parquet(tmp_path / "text.parquet")
    with pytest.raises(MemoryLimitError, match=r"text\.parquet: .* not numbers: AAL"):
        blocks.convert(
            tmp_path / "text.parquet", tmp_path / "out.parquet", {}, small, "none", "float64"
        )
    assert not (tmp_path / "out.parquet").exists()


def test_tables_are_checked_as_ever(tmp_path: Path) -> None:
    table = frame("prices").iloc[::-1]
    table.to_parquet(tmp_path / "table.parquet")
    with pytest.raises(InputFileError, match=r"table\.parquet: dates out of order"):
        blocks.convert(
            *(tmp_path / "table.parquet", tmp_path / "out.parquet", {}),
            *(Limits(blocks._BASE + 2**24, 1), "none", "float64"),
        )


def test_no_space_for_scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(OutputError, match=r"no space for .* MB of scratch: .*TMPDIR"):
        Scratch((2**20, 2**30))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_memory_stays_below_the_limit(tmp_path: Path) -> None:
    """A job of 490 MB, most of it libraries, on frames of 100 MB each, in a process of its own."""
    rng = np.random.default_rng(0)
    dates = pd.bdate_range("2015-01-01", periods=1300, name="date")
    shares = [f"S{i}" for i in range(10_000)]
    for name in "ab":
        values = pd.DataFrame(rng.standard_normal((1300, 10_000)), dates, shares)
        write_result(tmp_path / f"{name}.parquet", values, {"digests": {"result": name}})
        del values
    script = """
        import sys
        from pathlib import Path
        import deriv_ops.kernels.warm
        from deriv_ops.blocks import Limits, needed
        from deriv_ops.job import compute
        operator, *names = sys.argv[1:]
        limits = Limits(490 * 2**20, 1)
        inputs = [Path(f"{name}.parquet") for name in names]
        assert needed(inputs) > limits.memory
        params = {"moving_std": {"window": 60, "min_periods": 20}}.get(operator, {})
        compute(
            {"derivation": operator, "operator": f"deriv_ops.operators.{operator}:{operator}",
             "params": params, "parents": names, "precision": "float64", "code": ""},
            inputs, Path(f"{operator}.parquet"), "none", limits,
        )
        [peak] = [l for l in open("/proc/self/status") if l.startswith("VmHWM")]
        print(int(peak.split()[1]) // 1024)
    """
    for operator, names in {"moving_std": "a", "average": "ab"}.items():
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), operator, *names],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            # As the processes of the workers have it.
            env=os.environ | {f"MALLOC_{name}_THRESHOLD_": str(2**32) for name in ("MMAP", "TRIM")},
        )
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) < 490, operator


@pytest.mark.parametrize("name", ["subtract", "beta"])
def test_a_further_frame_with_none_of_the_shares(name: str, tmp_path: Path) -> None:
    first, other = written(tmp_path, ("prices", "prices"))
    strangers = frame("prices").add_prefix("other ")
    write_result(other, strangers, {"digests": {"result": "strangers"}})
    operator: Operator = getattr(op, name)
    params = operator.check_params({"window": 20} if name == "beta" else {})[0]
    limit = limits([first, other], 10 * len(strangers))
    with pytest.raises(OperatorError, match="has none of the shares of the first input: other"):
        blocks.derive(
            operator, params, [first, other], tmp_path / "out", {}, limit, "none", "float64"
        )
    assert not (tmp_path / "out").exists()
