"""What a job costs by each way to several nodes, and how long the first one is waited for.

    python benchmarks/clusters.py slurm:1 slurm:2 slurm:4 srun:2 mpi:2 jobs:4 groups:4 local

The jobs do nothing but write a small file, so that what is measured is the way alone. Run it where
Slurm is; times of the queue are part of the start.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

JOBS = 500
# Those that start Snakemake anew take seconds each; of a group's there are so many in one of Slurm.
STARTS, GROUP = {"jobs": 20, "groups": 100}, 25
WORKFLOW = """
rule all:
    input: expand("out/{i}", i=range(config["jobs"]))
rule one:
    output: "out/{i}"
    resources: mem_mb=100, runtime=1
    script: "one.py"
"""
JOBQUEUE = "jobqueue: {slurm: {cores: 2, memory: 2GB, processes: 1, walltime: '00:30:00'}}"
SNAKEMAKE = ["snakemake", "--scheduler", "dask", "--quiet", "all", "--jobs", "10000"]
MODULE = [sys.executable, "-P", "-m", "snakemake_executor_plugin_dask.mpi", *SNAKEMAKE[1:]]
ALLOCATION = ["--ntasks-per-node=1", "--cpus-per-task=2", "--mem=2G", "--time=30"]


def command(way: str, nodes: str) -> list[str]:
    """Return how to run the workflow."""
    dask = ["--executor", "dask"]
    match way:
        case "local":
            return [*SNAKEMAKE, *dask, "--dask-threads", "2"]
        case "slurm":
            cluster = ["--dask-cluster", "slurm", "--dask-workers", nodes]
            return [*SNAKEMAKE, *dask, *cluster, "--dask-config", "jobqueue.yaml"]
        case "srun":
            script = " ".join([*SNAKEMAKE, *dask, "--dask-cluster", "srun"])
            wrapped = f"--wrap={script} --config jobs={JOBS}"
            partition = os.environ.get("PARTITION", "2tcourt")
            options = ["--wait", "-p", partition, f"--nodes={nodes}", *ALLOCATION]
            return ["sbatch", *options, "--output=printed", wrapped]
        case "mpi":
            partition = os.environ.get("PARTITION", "2tcourt")
            options = ["--mpi=pmix", "-p", partition, f"--nodes={nodes}", *ALLOCATION]
            return ["srun", *options, *MODULE, *dask]
        case "jobs" | "groups":
            status = ["--slurm-status-command", "squeue", "--slurm-no-requeue"]
            status += ["--slurm-init-seconds-before-status-checks", "8"]
            hosts = subprocess.check_output(["sinfo", "-hN", "-o", "%N"], text=True).split()
            others = ",".join(sorted(set(hosts))[int(nodes) :])
            needs = ["--default-resources", "cpus_per_task=1"]
            if others:
                needs.append(f"slurm_extra='--exclude={others}'")
            if way == "groups":
                status += ["--groups", "one=ones", "--group-components", f"ones={GROUP}"]
                # Two at a time, as by the other ways.
                status += ["--resources", "cpus_per_task=2"]
                status += ["--set-resource-scopes", "cpus_per_task=local"]
            return [*SNAKEMAKE, "--executor", "slurm", *status, *needs]
    raise SystemExit(f"{way}: not one of local, slurm, srun, mpi, jobs, groups")


def measure(way: str, nodes: str) -> None:
    """Run the workflow in a folder that all nodes see, and print what it took."""
    count = STARTS.get(way, JOBS)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        (folder / "Snakefile").write_text(WORKFLOW)
        (folder / "one.py").write_text("open(snakemake.output[0], 'w').write('1')\n")
        (folder / "jobqueue.yaml").write_text(JOBQUEUE)
        arguments = command(way, nodes)
        if way != "srun":
            arguments += ["--config", f"jobs={count}"]
        began = time.time()
        with (folder / "said").open("w") as said:
            process = subprocess.run(arguments, cwd=folder, stdout=said, stderr=said)
        times = sorted(path.stat().st_ctime for path in folder.glob("out/*"))
        if process.returncode or len(times) < count:
            print((folder / "said").read_text())
            raise SystemExit(f"{way} has failed")
    first, last = times[0] - began, times[-1] - began
    print(f"| {way} | {nodes} | {count} | {first:.1f} | {last:.1f} |", flush=True)


def main() -> None:
    """Measure the ways that are named."""
    print("| way | nodes | jobs | first result, s | last result, s |\n|---|---|---|---|---|")
    for argument in sys.argv[1:]:
        way, _, nodes = argument.partition(":")
        measure(way, nodes or "1")


if __name__ == "__main__":
    main()
