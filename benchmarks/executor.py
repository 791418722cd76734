"""What the Dask executor costs, and what it saves.

    python benchmarks/executor.py            # all; some minutes
    python benchmarks/executor.py --rules 300 --frames 40

Every figure is a ratio of two times measured in the same run on the same machine, each the better
of two:

* jobs that do nothing, against *floor*, an executor that only prepares each job, touches its
  outputs and reports: the least that Snakemake itself needs for a job, with its own `greedy`
  scheduler, and with ours as *selected*; how that and the main process grow;
* jobs that read, standardize and write one Parquet frame, by pandas alone or by the operators of
  this project, against Snakemake's local executor with the same script, and against the same
  function in a loop in one process;
* the time until the first job has run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from snakemake_executor_plugin_dask.server import KEEP_MEMORY

ROOT = Path(__file__).parent.parent
# Run as a file, Python looks beside it only.
sys.path.insert(0, str(ROOT))

FLOOR = """
    import sys
    from pathlib import Path
    from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
    from snakemake_interface_executor_plugins.executors.real import RealExecutor
    from snakemake_interface_executor_plugins.settings import CommonSettings, ExecMode

    common_settings = CommonSettings(
        non_local_exec=True, implies_no_shared_fs=False, job_deploy_sources=False
    )


    class Executor(RealExecutor):
        cores = "all"

        def get_exec_mode(self):
            return ExecMode.REMOTE

        def get_python_executable(self):
            return sys.executable

        def run_jobs(self, jobs):
            # As the Dask executor does, so that only the executors differ.
            self.workflow.scheduler.job_rate_limiter = None
            self.workflow.scheduler.resources["_job_count"] = sys.maxsize
            super().run_jobs(jobs)

        def run_job(self, job):
            info = SubmittedJobInfo(job=job)
            self.workflow.async_run(job.prepare())
            self.report_job_submission(info)
            for file in job.output:
                Path(file).touch()
            self.report_job_success(info)

        def cancel(self):
            pass

        def shutdown(self):
            pass
"""

NOTHING = """
    N = int(config["count"])
    rule all:
        input: [f"out/{i}.txt" for i in range(N)]
    for i in range(N):
        rule:
            name: f"rule_{i}"
            output: f"out/{i}.txt"
            script: "nothing.py"
"""

FRAMES = """
    N = int(config["count"])
    rule all:
        input: [f"out/{i}.parquet" for i in range(N)]
    for i in range(N):
        rule:
            name: f"rule_{i}"
            input: "in.parquet"
            output: f"out/{i}.parquet"
            script: "standardize.py"
"""

# What any user would write.
PANDAS = """
    import pandas as pd

    def standardize(source, target):
        frame = pd.read_parquet(source)
        window = frame.rolling(60, min_periods=30)
        ((frame - window.mean()) / window.std()).to_parquet(target)

    if "snakemake" in globals():
        standardize(snakemake.input[0], snakemake.output[0])
"""

OPERATORS = """
    from pathlib import Path

    from deriv_ops import op
    from deriv_ops.store import read_result, write_result

    def standardize(source, target):
        frame = read_result(source).frame
        write_result(Path(target), op.zscore(frame, window=60, min_periods=30), {})

    if "snakemake" in globals():
        standardize(snakemake.input[0], snakemake.output[0])
"""

LOOP = """
    import sys, time
    from standardize import standardize
    began = time.perf_counter()
    for i in range(int(sys.argv[1])):
        standardize("in.parquet", f"out/loop_{sys.argv[2]}_{i}.parquet")
    print(time.perf_counter() - began)
"""


# A fork for each job, or processes that are kept for the next job.
KINDS = ("fork", "kept")
PRELOAD = ("--dask-preload", "deriv_ops.store,deriv_ops.kernels.warm,deriv_ops.operators.zscore")
SCRIPTS = {"pandas": (PANDAS, ()), "operators": (OPERATORS, PRELOAD)}
POLL_SECONDS = 0.02
# A workflow that is planned in no time.
FEW = 10


@dataclass
class Timing:
    """A run of Snakemake, in seconds.

    `wall` is of all, `first_job` until the first output is there, `jobs` from the begin of the
    first job to the end of the last one. `samples` are of the main process: time, MB, threads.
    """

    wall: float
    first_job: float
    samples: list[tuple[float, float, int]]
    jobs: float = 0.0

    def at(self, part: float) -> tuple[float, int]:
        """Return MB and threads of the main process when a part of the jobs' time is over."""
        moment = self.first_job + part * (self.wall - self.first_job)
        _, memory, threads = min(self.samples, key=lambda sample: abs(sample[0] - moment))
        return memory, threads


class Bench:
    """Workflows in a temporary folder."""

    def __init__(self, folder: Path, threads: int) -> None:
        self.folder = folder
        self.threads = threads
        self.write("plugins/snakemake_executor_plugin_floor/__init__.py", FLOOR)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def snakemake(self, kind: str, count: int, *options: str) -> Timing:
        """Run the workflow from nothing. `kind` is of executor, and of processes if it is ours.

        The `options` are those of our executor.
        """
        for name in ("out", ".snakemake", "records"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        dask = ["-j", "10000", "--dask-threads", str(self.threads), *options]
        size = {
            "floor": ["-j", "10000"],
            "selected": ["-j", "10000"],
            "fork": [*dask, "--dask-jobs-per-process", "1"],
            "kept": [*dask, "--dask-jobs-per-process", "1000"],
            "local": ["--cores", str(self.threads)],
        }[kind]
        executor = "dask" if kind in KINDS else "floor" if kind == "selected" else kind
        scheduler = "greedy" if kind in ("floor", "local") else "dask"
        command = [sys.executable, "-m", "snakemake", "--executor", executor, *size]
        command += ["--scheduler", scheduler, "--quiet", "all", "--config", f"count={count}"]
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": f"{self.folder / 'plugins'}:{ROOT}"},
        )
        first = 0.0
        samples = []
        main = psutil.Process(process.pid)
        while process.returncode is None:
            with contextlib.suppress(psutil.Error), main.oneshot():
                memory, threads = main.memory_info().rss / 2**20, main.num_threads()
                samples.append((time.perf_counter() - began, memory, threads))
            if not first and any(self.folder.glob("out/*")):
                first = time.perf_counter() - began
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10 * POLL_SECONDS if first else POLL_SECONDS)
        wall = time.perf_counter() - began
        if process.returncode:
            sys.exit(f"{' '.join(command)} failed")
        # A process that ends has given its memory back.
        samples = [sample for sample in samples if sample[1]]
        return Timing(wall, first or wall, samples, self._span())

    def _span(self) -> float:
        """Return the time from the begin of the first recorded job to the end of the last one."""
        lines = [
            json.loads(line)
            for file in self.folder.glob("records/*.jsonl")
            for line in file.read_text().splitlines()
        ]
        jobs = [line for line in lines if line["kind"] == "job"]
        if not jobs:
            return 0.0
        return max(j["started"] + j["wall"] for j in jobs) - min(j["started"] for j in jobs)

    def best(self, kinds: Sequence[str], count: int, *options: str) -> dict[str, Timing]:
        """Run each kind twice, in turns: neighbours on the machine disturb either."""
        rounds = [{kind: self.snakemake(kind, count, *options) for kind in kinds} for _ in "12"]
        return {kind: min((r[kind] for r in rounds), key=lambda t: t.wall) for kind in kinds}


def nothing(bench: Bench, counts: list[int]) -> None:
    """Print the cost of jobs that do nothing."""
    bench.write("Snakefile", NOTHING)
    bench.write("nothing.py", "open(snakemake.output[0], 'w').close()\n")
    kinds = ("floor", "selected", *KINDS)
    few = bench.best(kinds, FEW)
    print(f"\nFirst of {FEW} jobs, s after the start of the command")
    for kind, timing in few.items():
        print(f"{kind:20}{timing.first_job:9.1f}")
    print("\nJobs that do nothing       ms a job  of floor  from first job on  of floor  first job")
    runs = {count: bench.best(kinds, count) for count in counts}
    for count, timings in runs.items():
        floor = timings["floor"]
        for kind, timing in timings.items():
            rest, floor_rest = (t.wall - t.first_job for t in (timing, floor))
            print(
                f"{count:6} rules, {kind:9}{timing.wall / count * 1e3:12.1f}"
                f"{timing.wall / floor.wall:9.2f}x{rest / count * 1e3:19.1f}"
                f"{rest / floor_rest:9.2f}x{timing.first_job:9.1f} s"
            )
    print("\nMain process, MB / threads    after a quarter       a half      at the end")
    for count, timings in runs.items():
        for kind, timing in timings.items():
            parts = [timing.at(part) for part in (0.25, 0.5, 1.0)]
            text = "".join(f"{memory:12.0f} /{threads:3}" for memory, threads in parts)
            print(f"{count:6} rules, {kind:9}  {text}")
    if len(counts) > 1:
        less, more = min(counts), max(counts)
        print(f"\nA job of {more} over one of {less}    of all   from first job on")
        for kind in kinds:
            small, large = runs[less][kind], runs[more][kind]
            whole = large.wall / more / (small.wall / less)
            rest = (large.wall - large.first_job) / more / ((small.wall - small.first_job) / less)
            print(f"{kind:29}{whole:7.2f}x{rest:18.2f}x")


def frames(bench: Bench, count: int, rows: int, columns: int) -> None:
    """Print what jobs that read, compute and write a frame cost."""
    import numpy as np
    import pandas as pd

    from deriv_ops.store import write_result

    bench.write("Snakefile", FRAMES)
    bench.write("loop.py", LOOP)
    values = np.random.default_rng(0).normal(size=(rows, columns))
    names = [str(i) for i in range(columns)]
    dates = pd.bdate_range("2015-01-01", periods=rows, name="date")
    write_result(bench.folder / "in.parquet", pd.DataFrame(values, dates, names, copy=False), {})
    for name, (script, preload) in SCRIPTS.items():
        bench.write("standardize.py", script)
        local = bench.best(["local"], count)["local"].wall
        runs = bench.best(KINDS, count, "--dask-records", "records", *preload)
        one, several = loops(bench, count, 1), loops(bench, count, bench.threads)
        print(f"\nFrames of {rows} x {columns}, {name}     ms a job")
        print(f"loop in one process       {one / count * 1e3:12.1f}")
        print(f"loops in {bench.threads} processes      {several / count * 1e3:12.1f}")
        print(f"local executor            {local / count * 1e3:12.1f}")
        for kind, timing in runs.items():
            print(f"dask executor, {kind}       {timing.wall / count * 1e3:12.1f}")
            print(f"  while jobs ran          {timing.jobs / count * 1e3:12.1f}")
            print(f"  against local           {local / timing.wall:11.1f}x")
            for ideal, seconds in (
                (f"one loop times {bench.threads}", one / bench.threads),
                (f"{bench.threads} loops at a time", several),
            ):
                shares = (
                    f"{seconds / timing.wall:12.0%}, {seconds / timing.jobs:.0%} while jobs ran"
                )
                print(f"  of {ideal:20} {shares}")


def loops(bench: Bench, count: int, processes: int) -> float:
    """Return the seconds that `processes` loops at a time need for `count` jobs together."""
    single = os.environ | KEEP_MEMORY | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    each = -(-count // processes)
    took = []
    for _ in "12":
        (bench.folder / "out").mkdir(exist_ok=True)
        running = [
            subprocess.Popen(
                [sys.executable, "loop.py", str(each), str(i)],
                **{"cwd": bench.folder, "env": single, "stdout": subprocess.PIPE, "text": True},
            )
            for i in range(processes)
        ]
        took.append(max(float(process.communicate()[0]) for process in running))
        shutil.rmtree(bench.folder / "out")
    return min(took) * count / (each * processes)


def main() -> None:
    """Measure all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rules", type=int, nargs="*", default=[1383, 5327])
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--shape", type=int, nargs=2, default=[2600, 1000])
    parser.add_argument(
        "--folder", default="/dev/shm", help="not on a disk, which would be the limit"
    )
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        bench = Bench(Path(folder), arguments.threads)
        print(f"{arguments.threads} threads")
        if arguments.rules:
            nothing(bench, arguments.rules)
        if arguments.frames:
            frames(bench, arguments.frames, *arguments.shape)


if __name__ == "__main__":
    main()
