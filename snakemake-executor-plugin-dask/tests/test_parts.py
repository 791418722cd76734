"""Settings, machine, ledger, fork server, clusters."""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from conftest import Project, gone
from snakemake.utils import available_cpu_count

from snakemake_executor_plugin_dask import (
    Executor,
    ExecutorSettings,
    forkserver,
    jobs,
    ledger,
    machine,
)
from snakemake_executor_plugin_dask.clusters import processes
from snakemake_executor_plugin_dask.forkserver import ForkServer, Ready, ServerLostError
from snakemake_executor_plugin_dask.machines import Machines
from snakemake_executor_plugin_dask.process import Exit
from snakemake_executor_plugin_dask.session import Session
from snakemake_executor_plugin_dask.task import Submission, Task
from snakemake_executor_plugin_dask.worker import JobRunner, _reason


def test_import_is_light() -> None:
    heavy = ("dask", "distributed", "pandas", "numpy", "pyarrow", "snakemake.workflow")
    code = (
        "import sys, snakemake_executor_plugin_dask\n"
        "snakemake_executor_plugin_dask.Executor\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


def test_settings_have_help(project: Project) -> None:
    command = [sys.executable, "-m", "snakemake", "--help"]
    text = subprocess.run(command, capture_output=True, text=True).stdout
    for setting in fields(ExecutorSettings):
        assert f"--dask-{setting.name.replace('_', '-')}" in text
        assert f"SNAKEMAKE_DASK_{setting.name.upper()}" in text


def test_settings_from_profile_and_environment(project: Project) -> None:
    project.write("Snakefile", "rule one:\n    output: 'one.txt'\n    shell: 'touch {output}'\n")
    project.write("profile/config.yaml", "dask-memory-mb: 777\n")
    run = project.run("--profile", "profile", SNAKEMAKE_DASK_LOST_RETRIES="5")
    assert run.code == 0, run.text
    assert "777 MB" in run.text


def test_what_settings_from_the_environment_do(project: Project) -> None:
    project.write(
        "Snakefile",
        """
        rule all:
            input: expand("{i}.txt", i=range(4))
        rule one:
            output: "{i}.txt"
            script: "one.py"
        """,
    )
    project.write(
        "one.py",
        """
        import os
        from snakemake_executor_plugin_dask.handover import VARIABLE
        open(snakemake.output[0], "w").write(f"{os.getpid()} {os.environ[VARIABLE]}")
        """,
    )
    settings = {
        "CLUSTER": "local",
        "MEMORY_MB": "777",
        "PRELOAD": "mistyped",
        "HANDOVER_MB": "0",
        "JOBS_PER_PROCESS": "100",
        "RECORDS": "records",
    }
    run = project.run(**{f"SNAKEMAKE_DASK_{name}": value for name, value in settings.items()})
    assert run.code == 0, run.text
    assert "local cluster, 1 worker, 2 threads, 777 MB" in run.text
    assert "mistyped can't be imported" in run.text
    said = [project.read(f"{i}.txt").split() for i in range(4)]
    assert len({process for process, *_ in said}) < 4
    assert all(len(each) == 1 for each in said)  # nowhere to put frames
    assert len(project.records()) == 4


def test_all_cores_are_those_that_may_be_used(project: Project) -> None:
    project.write("Snakefile", "rule one:\n    output: 'one.txt'\n    shell: 'touch {output}'\n")
    more = str(available_cpu_count() + 1)
    for cores, threads in (("all", "1"), (more, more)):
        allocation = {"SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": "1"}
        run = project.run("--dask-cluster", "local", "--cores", cores, "--forceall", **allocation)
        assert run.code == 0, run.text
        assert f"1 worker, {threads} threads" in run.text


def test_unknown_cluster(project: Project) -> None:
    project.write("Snakefile", "rule one:\n    output: 'one.txt'\n    shell: 'touch {output}'\n")
    run = project.run("--dask-cluster", "nowhere.json")
    assert run.code == 1
    assert "nor a scheduler file" in run.text


def test_machine_in_a_control_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits count of the own group and of those above it, in both versions."""
    files = {
        "/proc/self/cgroup": "0::/a/b\n3:cpu,cpuacct:/x\n2:memory:/x\n",
        "a/cpu.max": "150000 100000",
        "a/b/cpu.max": "max 100000",
        "a/b/memory.max": str(2**29),
        "memory/x/memory.limit_in_bytes": str(2**28),
    }

    def read(path: Path) -> str:
        name = str(path.relative_to(machine.CGROUPS)) if path != cgroup else str(path)
        return files.get(name, "").strip()

    cgroup = Path("/proc/self/cgroup")
    monkeypatch.setattr(machine, "_read", read)
    assert machine.cpus() == 1
    assert machine.memory_bytes() == 2**28


def test_machine_in_a_slurm_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_read", lambda path: "")
    before = machine.memory_bytes()
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "1")
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "100")
    assert machine.memory_bytes() == before  # not in a job
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert machine.cpus() == 1
    assert machine.memory_bytes() == 100 * 2**20


def test_machine_in_a_slurm_job_of_many_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """All its CPUs on this node, not those of one task."""
    monkeypatch.setattr(machine, "_read", lambda path: "")
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: range(64))
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "8")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    assert machine.cpus() == 8


def test_ledger(tmp_path: Path) -> None:
    path = str(tmp_path / "job")
    assert ledger.read(path) == ledger.Record()
    ledger.record_start(path)
    record = ledger.read(path)
    assert (record.starts, record.done) == (1, False)
    assert record.open and record.open.pid == psutil.Process().pid
    ledger.record_end(path, -9)
    assert ledger.read(path).open is None
    assert not ledger.read(path).done
    ledger.record_start(path)
    ledger.record_end(path, 0)
    assert ledger.read(path).done
    assert ledger.read(path).starts == 2
    assert not ledger.withdraw(path)


def test_what_is_withdrawn_does_not_begin(tmp_path: Path) -> None:
    path = str(tmp_path / "job")
    assert ledger.withdraw(path)
    assert not ledger.record_start(path)
    # As the fork server notes of every process that has been given the job.
    ledger.record_end(path, 1)
    assert not ledger.record_start(path)
    assert ledger.read(path).starts == 0


def test_attempt_ends_a_living_one_of_the_same_machine(tmp_path: Path) -> None:
    path = str(tmp_path / "job")
    code = (
        "import os, sys, time; os.setsid()\n"
        "from snakemake_executor_plugin_dask import ledger\n"
        f"ledger.record_start({path!r}); time.sleep(1000)"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    while not ledger.read(path).open:
        time.sleep(0.02)
    threading.Thread(target=process.wait, daemon=True).start()
    began = time.monotonic()
    assert ledger.wait_until_alone(path).starts == 1
    assert time.monotonic() - began < 5
    assert process.wait(5) == -9


def test_attempt_waits_for_one_of_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "LEASE_SECONDS", 1.0)
    path = tmp_path / "job"
    path.write_text("start elsewhere 1 2 3.0\n")
    began = time.monotonic()
    ledger.wait_until_alone(str(path))
    assert time.monotonic() - began > 1
    path.write_text("start elsewhere 1 2 3.0\nend -9\n")
    began = time.monotonic()
    ledger.wait_until_alone(str(path))
    assert time.monotonic() - began < 0.5


@pytest.mark.parametrize("fate", ["lives", "dies"])
def test_server_that_was_launched_ahead(tmp_path: Path, fate: str) -> None:
    preload, environment = ["json", "no.such.module"], {"SET_FOR": "jobs"}
    forkserver.launch_ahead(preload)
    ahead = forkserver._ahead[tuple(preload)].process
    if fate == "dies":
        ahead.kill()
        ahead.wait(10)
    code = "printf $SET_FOR-$(ulimit -n)"
    job = pickle.dumps({"argv": ["sh", "-c", code], "env": {}, "cwd": str(tmp_path)})
    server = ForkServer(preload, environment, open_files=99)
    try:
        if fate == "dies":
            with pytest.raises(ServerLostError):
                server.run("first", job, None)
            server.close()
            server = ForkServer(preload, environment, open_files=99)
        assert (server.process is ahead) == (fate == "lives")
        assert list(server.ready.result(60).failed) == ["no.such.module"]
        assert server.run("second", job, None).stdout == b"jobs-99"
    finally:
        server.close()


def test_server_launched_ahead_ends_with_its_starter(tmp_path: Path) -> None:
    """Whether or not it was made use of."""
    code = (
        "from snakemake_executor_plugin_dask import forkserver\n"
        "forkserver.launch_ahead(['json'])\n"
        "print(forkserver._ahead['json',].process.pid)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert gone([int(done.stdout)], 10)


def test_job_withdrawn_before_it_begins(tmp_path: Path) -> None:
    server = ForkServer([], {})
    try:
        touch = {"argv": ["touch", str(tmp_path / "touched")], "env": {}, "cwd": str(tmp_path)}
        server.kill("first")
        assert server.run("first", pickle.dumps(touch), None).cancelled
        assert not (tmp_path / "touched").exists()
        assert server.run("second", pickle.dumps(touch), None).status == 0
        assert (tmp_path / "touched").exists()
    finally:
        server.close()


def test_time_limit_ends_all_of_a_job(tmp_path: Path) -> None:
    server = ForkServer([], {})
    try:
        script = "setsid sleep 1000 & echo $!; sleep 1000 & echo $!; wait"
        job = {"argv": ["sh", "-c", script], "env": {}, "cwd": str(tmp_path)}
        exit_ = server.run("job", pickle.dumps(job), None, time_limit=0.5)
        assert exit_.timed_out and exit_.status == -9
        escaped, sleeper = map(int, exit_.stdout.split())
        assert gone([sleeper])
    finally:
        server.close()
    # What has left the job's session goes with the server.
    assert gone([escaped])


@pytest.mark.slow
def test_more_files_than_a_process_may_open_by_default(project: Project) -> None:
    """Of the worker, which has some for each job; its jobs have the limit that was there."""
    project.write(
        "Snakefile",
        """
        rule all:
            input: expand("out/{i}.txt", i=range(60))
        rule one:
            output: "out/{i}.txt"
            shell: "sleep 1; ulimit -Sn > {output}"
        """,
    )
    command = f"ulimit -Sn 200; exec {sys.executable} -m snakemake"
    command += " --executor dask -j 60 --dask-threads 60"
    subprocess.run(["bash", "-c", command], cwd=project.path, check=True, timeout=90)
    assert {project.read(f"out/{i}.txt") for i in range(60)} == {"200\n"}


@pytest.mark.slow
def test_what_is_preloaded_in_vain(project: Project) -> None:
    """It is said once, with the reason; jobs run all the same."""
    project.write(
        "Snakefile",
        """
        rule all:
            input: expand("{i}.txt", i=range(2))
        rule one:
            output: "{i}.txt"
            shell: "touch {output}"
        """,
    )
    project.write("modules/broken.py", "raise RuntimeError('no GPU')\n")
    project.write("modules/leaving.py", "import sys; sys.exit(3)\n")
    project.write(
        "modules/busy.py",
        "import threading, time\nthreading.Thread(target=time.sleep, args=[60]).start()\n",
    )
    path = f"{os.environ.get('PYTHONPATH', '')}:{project.path}/modules"
    names = "broken,mistyped,leaving,busy,numpy"
    run = project.run("--dask-preload", names, PYTHONPATH=path)
    assert run.code == 0, run.text
    assert run.text.count("dask-preload:") == 1
    for told in (
        "broken can't be imported: RuntimeError: no GPU",
        "mistyped can't be imported: ModuleNotFoundError: No module named 'mistyped'",
        "leaving can't be imported: SystemExit: 3",
        "1 threads were started",
    ):
        assert told in run.text


def test_default_modules_that_are_not_installed(tmp_path: Path) -> None:
    said: list[bytes] = []
    runner = JobRunner("run", [], ["numpy", "pandas"], None, 1)
    runner.worker = SimpleNamespace(address="", log_event=lambda topic, event: said.append(event))

    def ready(threads: int, **failed: str) -> None:
        future: Future[Ready] = Future()
        future.set_result(Ready(threads, failed))
        runner._say_ready(future)

    ready(1, numpy="ModuleNotFoundError: No module named 'numpy'")
    assert not said
    ready(1, numpy="ImportError: libgfortran.so", pandas="ModuleNotFoundError: ...")
    [(_, notice)] = map(pickle.loads, said)
    assert notice.text == "dask-preload: numpy can't be imported: ImportError: libgfortran.so"


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (40, "signal 40")])
def test_names_of_signals(number: int, name: str) -> None:
    task = Task("job", b"", None)
    assert _reason(Exit(-number, {}), task).startswith(f"killed by {name}")


def test_fork_server_has_one_thread() -> None:
    server = ForkServer(["numpy", "pandas", "pyarrow.dataset", "pyarrow.parquet"], {})
    try:
        assert server.ready.result(60) == Ready(threads=1, failed={})
    finally:
        server.close()


def test_jobs_go_where_their_largest_input_is() -> None:
    executor = Executor.__new__(Executor)
    executor.internals = jobs
    executor.places = {"small": ("tcp://a", 10), "large": ("tcp://b", 1000)}
    machines = Machines([])
    executor.session = SimpleNamespace(machines=machines)
    job = SimpleNamespace(input=["small", "large", "unknown"])
    machines.join("tcp://b", {"threads": 2})
    assert executor._place(job, {"threads": 1}) is None  # there is no other
    machines.join("tcp://a", {"threads": 4})
    assert executor._place(job, {"threads": 2}) == "tcp://b"
    assert executor._place(SimpleNamespace(input=["unknown"]), {"threads": 1}) is None
    assert executor._place(job, {"threads": 3}) is None  # one of them can't run it
    machines.join("tcp://c", {"threads": 2})
    machines.leave("tcp://b")
    assert executor._place(job, {"threads": 1}) is None


def test_what_is_heard_late_of_a_lost_scheduler_is_not_of_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = Session.__new__(Session)
    session.changed, session.closing, session.recovering = threading.Condition(), False, False
    submission = Submission(None, Task("job", b"", None), {}, 0, None)
    session.out, session.outcomes = {"job": submission}, {}
    monkeypatch.setattr(Session, "_restore", lambda session: None)

    def cancelled(timeout: float) -> None:
        # It takes its time to say so, and others have told before.
        session._recover()
        submission.future, session.recovering = "of the next one", False
        raise asyncio.CancelledError

    submission.future = lost = SimpleNamespace(key="job", status="cancelled", result=cancelled)
    session._ended(submission, lost)
    assert not session.recovering
    assert submission.future == "of the next one"


@pytest.mark.slow
def test_worker_that_finds_no_scheduler_ends_with_its_starter(tmp_path: Path) -> None:
    """As when Snakemake was killed while its cluster started."""
    log = tmp_path / "log"
    worker = processes.spawn("node", "worker", "1", "100", log=log, listen=False)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        address = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
    try:
        processes.tell(worker, address)
        time.sleep(3)
        assert worker.poll() is None
        assert worker.stdin
        worker.stdin.close()
        worker.wait(30)
    finally:
        worker.kill()


def test_local_cluster_listens_on_loopback_only(project: Project) -> None:
    project.write(
        "Snakefile",
        "rule one:\n    output: 'one.txt'\n    shell: 'touch begun; sleep 2; touch {output}'\n",
    )
    process = project.start()
    project.wait_for(lambda: project.exists("begun"))
    main = project.main(process)
    addresses = {
        connection.laddr.ip
        for one in [main, *main.children(recursive=True)]
        for connection in one.net_connections()
        if connection.status == "LISTEN"
    }
    assert addresses == {"127.0.0.1"}
    assert project.finish(process).code == 0
