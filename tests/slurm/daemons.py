"""A Slurm of several nodes on this machine: the real daemons of Debian's packages.

    apt-get install slurmctld slurmd slurm-client slurmdbd munge mariadb-server libpmix-dev

Everything is in one folder, with ports, sockets and a key of its own. The daemons stay in the
foreground, as children of this process, so that exactly those are ended that were started.
"""

from __future__ import annotations

import contextlib
import ctypes
import getpass
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

DAEMONS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd")
# What `srun --mpi=pmix` opens, by the name that only the package for developers has.
PMIX = "pmix2/lib/libpmix.so"
# Where Slurm looks for its configuration, if nothing says otherwise.
SITE = Path("/etc/slurm")
# Of Linux's unshare(2).
CLONE_NEWNS = 0x20000
# What a node claims to have; nothing is enforced.
CPUS, MEMORY_MB = 28, 120_000

SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
# One for each node: the sockets of PMIx would collide.
TmpFS={folder}/tmp/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
# Nodes may claim more than the machine has.
SlurmdParameters=config_overrides
SelectType=select/cons_tres
# Jobs go where there is most room.
SelectTypeParameters=CR_CPU_Memory,CR_LLN
SchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=0
MpiDefault=none
ReturnToService=2
# A job that no partition could run is refused at once.
EnforcePartLimits=ALL
KillWait=5
SlurmdTimeout=15
InactiveLimit=0
MinJobAge=600
# Several Slurms can be here at once, and whose job a process is of is told by the number.
FirstJobId={first_job}
PropagateResourceLimits=NONE
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={dbd_port}
AccountingStoragePass={folder}/munge/socket
AccountingStorageEnforce=associations,limits,qos
JobAcctGatherType=jobacct_gather/linux
{nodes}
PartitionName=tcourt_intra Nodes=ALL Default=YES MaxNodes=1 DefaultTime=60 MaxTime=1440 State=UP
PartitionName=2tcourt Nodes=ALL DefaultTime=60 MaxTime=720 State=UP
PartitionName=closed Nodes=ALL AllowAccounts=others State=UP
"""

SLURMDBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={dbd_port}
SlurmUser={user}
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={sql_port}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
CommitDelay=1
"""

INIT_SQL = """\
CREATE DATABASE IF NOT EXISTS slurm_acct_db;
CREATE USER IF NOT EXISTS 'slurm'@'127.0.0.1' IDENTIFIED BY 'slurm';
GRANT ALL ON slurm_acct_db.* TO 'slurm'@'127.0.0.1';
"""


def missing_daemons() -> list[str]:
    """What isn't installed."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = [name for name in DAEMONS if not shutil.which(name, path=path)]
    return missing if any(Path("/usr/lib").glob(f"*/{PMIX}")) else [*missing, PMIX]


class Slurm:
    """The daemons, and commands to them."""

    def __init__(self, folder: Path, nodes: int = 4) -> None:
        self.folder = folder
        self.nodes = [f"my{i:03}" for i in range(1, nodes + 1)]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.conf = folder / "slurm.conf"
        # As where the environment of the tests is activated.
        tools = str(Path(sys.executable).parent)
        os.environ["PATH"] = os.pathsep.join([tools, os.environ["PATH"], "/usr/sbin", "/sbin"])

    def start(self) -> None:
        """Start all daemons, and wait until all nodes are idle."""
        for name in ("munge", "state", "spool", "tmp", "sql", "log"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "munge").chmod(0o700)
        self._configure()
        os.environ["SLURM_CONF"] = str(self.conf)
        if os.getuid() == 0:
            self._become_the_machines()
        munge = self.folder / "munge"
        self._daemon(
            "munged",
            *("--foreground", "--force", "--key-file", munge / "key", "--socket", munge / "socket"),
            *("--pid-file", munge / "pid", "--seed-file", munge / "seed"),
            *("--log-file", self.folder / "log" / "munged"),
        )
        self._start_database()
        self._daemon("slurmdbd", "-D")
        wait_for(lambda: listens(self.dbd_port), "slurmdbd")
        run("sacctmgr", "-i", "add", "cluster", "test")
        run("sacctmgr", "-i", "add", "account", "myria", "Description=all", "Organization=all")
        run("sacctmgr", "-i", "add", "user", getpass.getuser(), "Account=myria")
        self._daemon("slurmctld", "-D")
        wait_for(lambda: run("scontrol", "ping", check=False).count(" UP"), "slurmctld")
        for node in self.nodes:
            self.start_node(node)
        wait_for(lambda: self.states() == ["idle"] * len(self.nodes), "the nodes")

    def start_node(self, node: str) -> None:
        """Start a node's daemon."""
        (self.folder / "tmp" / node).mkdir(exist_ok=True)
        self._daemon("slurmd", "-D", "-N", node, name=node)

    def stop_node(self, node: str) -> None:
        """Kill a node's daemon and what runs there, as if the machine had lost its power."""
        for process in self._processes(node):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.processes.pop(node).wait()

    def hang_node(self, node: str) -> None:
        """Have a node do nothing any more, and keep its connections."""
        for process in self._processes(node):
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                process.suspend()

    def _processes(self, node: str) -> list[psutil.Process]:
        """A node's daemon, and what belongs to its jobs."""
        found = [psutil.Process(self.processes[node].pid)]
        jobs = run("squeue", "-h", "--states=all", "-w", node, "-o", "%i").split()
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                environment = process.environ()
                of_job = environment.get("SLURM_JOB_ID") in jobs
                if of_job and environment.get("SLURMD_NODENAME") == node:
                    found += [one for one in process.parents() if "slurmstepd" in one.name()]
                    found.append(process)
        return found

    def states(self) -> list[str]:
        """The state of each node."""
        return run("sinfo", "-h", "-N", "-p", "2tcourt", "-o", "%T", check=False).split()

    def jobs(self, *options: str) -> list[str]:
        """The ids of the jobs that wait or run."""
        return run("squeue", "-h", "-o", "%i", *options).split()

    def stop(self) -> None:
        """End all jobs, then the daemons, the last one first."""
        if "slurmctld" in self.processes:
            subprocess.run(["scancel", "--user", getpass.getuser()], timeout=20, check=False)
            wait_for(lambda: not self.jobs(), "the end of all jobs", check=False)
        for process in reversed(self.processes.values()):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        os.environ.pop("SLURM_CONF", None)

    def _become_the_machines(self) -> None:
        """Be what this process and all that it starts from now on find in /etc/slurm.

        It is so in a mount namespace of its own: nobody else sees it, and nothing is written there.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.unshare(CLONE_NEWNS) == 0, os.strerror(ctypes.get_errno())
        SITE.mkdir(exist_ok=True)
        run("mount", "--make-rprivate", "/")
        run("mount", "--bind", str(self.folder), str(SITE))

    def _configure(self) -> None:
        ports = free_ports(3 + len(self.nodes))
        self.dbd_port, self.sql_port, ctld_port, *node_ports = ports
        host = socket.gethostname().partition(".")[0]
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} "
            f"CPUs={CPUS} RealMemory={MEMORY_MB} Feature=broadwell State=UNKNOWN"
            for node, port in zip(self.nodes, node_ports, strict=True)
        )
        values = {
            "folder": self.folder,
            "host": host,
            "user": getpass.getuser(),
            "ctld_port": ctld_port,
            "dbd_port": self.dbd_port,
            "sql_port": self.sql_port,
            "nodes": nodes,
            "first_job": 1 + 1000 * secrets.randbelow(10_000),
        }
        self.conf.write_text(SLURM_CONF.format(**values))
        dbd = self.folder / "slurmdbd.conf"
        dbd.write_text(SLURMDBD_CONF.format(**values))
        dbd.chmod(0o600)
        key = self.folder / "munge" / "key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        (self.folder / "init.sql").write_text(INIT_SQL)

    def _start_database(self) -> None:
        where = [
            *("--no-defaults", f"--user={getpass.getuser()}", f"--datadir={self.folder / 'sql'}"),
            # One that starts removes what it takes for its own of a folder that is shared.
            f"--tmpdir={self.folder / 'tmp'}",
        ]
        options = ("--skip-test-db", "--auth-root-authentication-method=normal")
        run("mariadb-install-db", *where, *options)
        self._daemon(
            *("mariadbd", *where),
            *(f"--init-file={self.folder / 'init.sql'}", f"--socket={self.folder / 'sql.sock'}"),
            *("--bind-address=127.0.0.1", f"--port={self.sql_port}", "--skip-name-resolve"),
            *("--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=0"),
            *("--innodb-lock-wait-timeout=900", "--skip-log-bin"),
        )
        wait_for(lambda: listens(self.sql_port), "MariaDB")

    def _daemon(self, *command: object, name: str | None = None) -> None:
        name = name or str(command[0])
        with (self.folder / "log" / f"{name}.out").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def run(*command: str, check: bool = True) -> str:
    """Run a command, and return what it prints."""
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert not check or result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


def wait_for(
    condition: Callable[[], object], what: str, seconds: float = 240, check: bool = True
) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            assert not check, f"{what}: not within {seconds} s"
            return
        time.sleep(0.1)


def listens(port: int) -> bool:
    """Whether something listens on a port."""
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses, and that the system gives to nobody before they are taken."""
    sockets: list[socket.socket] = []
    while len(sockets) < count:
        with contextlib.suppress(OSError):
            sockets.append(socket.create_server(("127.0.0.1", random.randrange(10_000, 30_000))))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
