"""Several workers, alike and not, that come and go."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from conftest import DaskCluster, Project

from snakemake_executor_plugin_dask.machines import Machines

CHAINS = """
    N = 24
    rule all:
        input: expand("second/{i}.txt", i=range(N))
    rule first:
        output: "first/{i}.txt"
        resources: mem_mb=10
        script: "job.py"
    rule second:
        input: "first/{i}.txt"
        output: "second/{i}.txt"
        resources: NEEDS
        script: "job.py"
"""
JOB = """
    import time
    time.sleep(0.3)
    open(snakemake.output[0], "w").write("x" * 1000)
"""


def workers_of(project: Project, rule: str) -> Counter[str]:
    """How many jobs of a rule each worker has run."""
    return Counter(job["worker"] for job in project.records() if job["rule"] == rule)


@pytest.mark.slow
@pytest.mark.parametrize(
    "needs", ["mem_mb=2000", pytest.param("licence=1", marks=pytest.mark.thorough)]
)
def test_no_job_goes_to_a_worker_that_lacks_what_it_needs(
    project: Project, cluster: DaskCluster, needs: str
) -> None:
    """Though it is idle, and has written the job's input."""
    cluster.worker("--resources", "mem_mb=1000")
    cluster.worker("--resources", f"mem_mb=8000 licence=1 {needs}")
    cluster.wait_for_workers(2)
    project.write("Snakefile", CHAINS.replace("NEEDS", needs))
    project.write("job.py", JOB)
    run = project.run("--dask-cluster", cluster.address, "--dask-records", "records")
    assert run.code == 0, run.text
    assert len(workers_of(project, "first")) == 2
    assert len(workers_of(project, "second")) == 1


@pytest.mark.slow
def test_worker_that_joins_a_run(project: Project, cluster: DaskCluster) -> None:
    """What it offers counts from then on, and its time in what the run has cost."""
    cluster.worker()
    project.write("Snakefile", CHAINS.replace("24", "12").replace("NEEDS", "licence=1"))
    project.write(
        "job.py",
        """
        import os, time
        open(f"begun.{snakemake.rule}", "w").close()
        while not os.path.exists("go"):
            time.sleep(0.05)
        time.sleep(0.3)
        open(snakemake.output[0], "w").write("x" * 1000)
        """,
    )
    process = project.start("--dask-cluster", cluster.address, "--dask-records", "records")
    project.wait_for(lambda: project.exists("begun.first"))
    cluster.worker("--nthreads", "3", "--resources", "licence=3")
    cluster.wait_for_workers(2)
    project.write("go", "")
    run = project.finish(process)
    assert run.code == 0, run.text
    [special] = workers_of(project, "second")
    assert workers_of(project, "first")[special]
    [efficiency] = re.findall(r"efficiency (\d+)%", run.text)
    assert 20 < int(efficiency) <= 100


HANDED_OVER = """
    rule all:
        input: expand("second/{i}.parquet", i=range(16))
    rule small:
        output: "small/{i}.parquet"
        script: "first.py"
    rule large:
        output: "large/{i}.parquet"
        script: "first.py"
    rule second:
        input: "small/{i}.parquet", "large/{i}.parquet"
        output: "second/{i}.parquet"
        script: "second.py"
"""


@pytest.mark.slow
def test_jobs_run_where_their_largest_input_is(project: Project, cluster: DaskCluster) -> None:
    for _ in range(2):
        cluster.worker()
    cluster.wait_for_workers(2)
    project.write("Snakefile", HANDED_OVER)
    project.write(
        "first.py",
        """
        import numpy, pandas
        from snakemake_executor_plugin_dask import handover
        rows = 10 if snakemake.rule == "small" else 2000
        frame = pandas.DataFrame(numpy.ones((rows, 100)), columns=map(str, range(100)))
        frame.to_parquet(snakemake.output[0])
        handover.put(snakemake.output[0], frame)
        """,
    )
    project.write(
        "second.py",
        """
        import pandas
        from snakemake_executor_plugin_dask import handover
        sums = []
        for path in snakemake.input:
            frame = handover.get(path)
            frame = pandas.read_parquet(path) if frame is None else frame
            sums.append(frame.to_numpy().sum())
        pandas.DataFrame({"sums": sums}).to_parquet(snakemake.output[0])
        """,
    )
    run = project.run("--dask-cluster", cluster.address, "--dask-records", "records")
    assert run.code == 0, run.text
    records = {job["output"][0]: job for job in project.records()}
    second, large = (
        [records[f"{rule}/{i}.parquet"] for i in range(16)] for rule in ("second", "large")
    )
    assert len({job["worker"] for job in large}) == 2
    where = [a["worker"] == b["worker"] for a, b in zip(second, large, strict=True)]
    assert sum(where) >= 14, where
    for i, job in enumerate(second):
        sums = pd.read_parquet(project.path / f"second/{i}.parquet")["sums"]
        assert np.array_equal(sums, [1_000, 200_000])
        # Both, wherever it ran: workers of one machine share what is handed over.
        assert job["handed_over"] > 1_600_000


def test_what_is_offered_is_counted() -> None:
    machines = Machines([])
    assert (machines.all, machines.kinds, machines.wait(0.01)) == ([], [], False)
    machines.join("a", {"threads": 2})
    machines.join("b", {"threads": 2})
    assert machines.wait(0)
    machines.leave("b")
    machines.leave("never there")
    assert machines.present == {"a": {"threads": 2}}
    # It may come again: a job that needs it isn't impossible.
    machines.join("c", {"threads": 8})
    machines.leave("c")
    assert machines.kinds == [{"threads": 2}, {"threads": 8}]
    machines.leave_all()
    before = machines.thread_seconds
    assert machines.all == [] and before > 0
    assert machines.thread_seconds == before
