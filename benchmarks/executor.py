"""What the Dask executor costs, and what it saves.

    python benchmarks/executor.py            # all; some minutes
    python benchmarks/executor.py --rules 300 --frames 40

Every figure is a ratio of two times measured in the same run on the same machine:

* jobs that do nothing, against an executor that only prepares each job, touches its outputs and
  reports: the least that Snakemake itself needs for a job;
* jobs that read, standardize (by an operator of this project) and write one Parquet frame, against
  Snakemake's local executor with the same script, and against the same function in a loop in one
  process;
* the time until the first job runs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
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

STANDARDIZE = """
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


@dataclass
class Timing:
    """A run of Snakemake: wall seconds, and of the main process peak MB and peak threads."""

    wall: float
    memory: float
    threads: int
    first_job: float


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
        for name in ("out", ".snakemake"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        dask = ["-j", "10000", "--dask-threads", str(self.threads), *options]
        size = {
            "floor": ["-j", "10000"],
            "fork": [*dask, "--dask-jobs-per-process", "1"],
            "kept": [*dask, "--dask-jobs-per-process", "1000"],
            "local": ["--cores", str(self.threads)],
        }[kind]
        executor = "dask" if kind in KINDS else kind
        command = [sys.executable, "-m", "snakemake", "--executor", executor, *size]
        command += ["--scheduler", "greedy", "--quiet", "all", "--config", f"count={count}"]
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": f"{self.folder / 'plugins'}:{ROOT}"},
        )
        memory, threads, first = 0.0, 0, 0.0
        main = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                memory = max(memory, main.memory_info().rss / 2**20)
                threads = max(threads, main.num_threads())
            except psutil.Error:
                break
            if not first and any(self.folder.glob("out/*")):
                first = time.perf_counter() - began
            time.sleep(0.05 if not first else 0.5)
        if process.wait():
            sys.exit(f"{' '.join(command)} failed")
        return Timing(time.perf_counter() - began, memory, threads, first)


def nothing(bench: Bench, counts: list[int]) -> None:
    """Print the cost of jobs that do nothing."""
    bench.write("Snakefile", NOTHING)
    bench.write("nothing.py", "open(snakemake.output[0], 'w').close()\n")
    print("\nJobs that do nothing        ms a job   of the floor   main: MB  threads  first job")
    for count in counts:
        # The better of two, taken in turns: neighbours on the machine disturb either.
        kinds = ("floor", *KINDS)
        rounds = [[bench.snakemake(kind, count) for kind in kinds] for _ in "12"]
        best = [min(timings, key=lambda t: t.wall) for timings in zip(*rounds, strict=True)]
        for kind, timing in zip(kinds, best, strict=True):
            print(
                f"{count:6} rules, {kind:6}{timing.wall / count * 1e3:16.1f}"
                f"{timing.wall / best[0].wall:14.2f}x{timing.memory:11.0f}{timing.threads:9}"
                f"{timing.first_job:9.1f} s"
            )


def frames(bench: Bench, count: int, rows: int, columns: int) -> None:
    """Print what jobs that read, compute and write a frame cost."""
    import numpy as np
    import pandas as pd

    from deriv_ops.store import write_result

    bench.write("Snakefile", FRAMES)
    bench.write("standardize.py", STANDARDIZE)
    bench.write("loop.py", LOOP)
    values = np.random.default_rng(0).normal(size=(rows, columns))
    names = [str(i) for i in range(columns)]
    dates = pd.bdate_range("2015-01-01", periods=rows, name="date")
    write_result(bench.folder / "in.parquet", pd.DataFrame(values, dates, names, copy=False), {})
    runs = [[bench.snakemake(kind, count, *PRELOAD) for kind in KINDS] for _ in "12"]
    walls = [min(run.wall for run in kind) / count for kind in zip(*runs, strict=True)]
    few = max(count // 5, bench.threads)  # the local executor is slow: a part, and per job
    local = bench.snakemake("local", few)
    single = os.environ | KEEP_MEMORY | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "loop.py", str(few)]

    def loops(processes: int) -> float:
        running = [
            subprocess.Popen(
                [*command, str(i)], cwd=bench.folder, env=single, stdout=subprocess.PIPE, text=True
            )
            for i in range(processes)
        ]
        took = max(float(process.communicate()[0]) for process in running) / few
        shutil.rmtree(bench.folder / "out")
        return took

    loop, together = loops(1), loops(bench.threads)
    ideal, feasible = loop / bench.threads, together / bench.threads
    print(f"\nFrames of {rows} x {columns}           ms a job")
    print(f"loop in one process    {loop * 1e3:12.1f}")
    print(f"loops in {bench.threads} processes   {feasible * 1e3:12.1f}")
    print(f"local executor         {local.wall / few * 1e3:12.1f}")
    for kind, wall in zip(KINDS, walls, strict=True):
        print(f"dask executor, {kind}    {wall * 1e3:12.1f}")
        print(f"  against local        {local.wall / few / wall:11.1f}x")
        print(f"  of one loop times {bench.threads}  {ideal / wall:12.0%}")
        print(f"  of {bench.threads} loops at a time {feasible / wall:12.0%}")


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
