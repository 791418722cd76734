"""`python -m MODULE` without the seconds that imports take: forked from a process that did them.

    zygote = Zygote("pandas", "distributed")
    process = zygote.start("snakemake", "-n", cwd=folder, env=os.environ, stdout=out, stderr=out)

What runs is a process with a session, a folder, an environment and an end of its own, as any other.
Modules that note the folder or the environment when they are imported, as Snakemake's own do, are
for the process and not for the zygote; Dask, which reads DASK_... then, has the zygote's.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Process:
    """A process that a zygote has started."""

    def __init__(self, connection: socket.socket, stdout: Path, stderr: Path) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self._answers = connection.makefile("r")
        self._connection = connection
        self.pid = int(self._answers.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal, or None as long as it runs."""
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            self.returncode = int(self._answers.readline())
            self._connection.close()
        return self.returncode

    def wait(self, timeout: float = 480) -> int:
        """Wait for its end; `subprocess.TimeoutExpired` if there is none in these seconds."""
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            select.select([self._connection], [], [], left)
        assert self.returncode is not None
        return self.returncode


class Zygote:
    """A process that has imported modules and does nothing else."""

    def __init__(self, *modules: str) -> None:
        self._control, theirs = socket.socketpair()
        command = [sys.executable, __file__, str(theirs.fileno()), *modules]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        theirs.close()

    def start(
        self,
        module: str,
        *arguments: str,
        cwd: Path,
        env: Mapping[str, str],
        stdout: Path,
        stderr: Path,
    ) -> Process:
        """Start `python -m MODULE ARGUMENTS`, with nothing to read. Prints go to the two files."""
        ours, theirs = socket.socketpair()
        order = {"argv": [module, *arguments], "cwd": str(cwd), "env": dict(env)}
        order |= {"stdout": str(stdout), "stderr": str(stderr)}
        with theirs:
            text = json.dumps(order).encode() + b"\n"
            socket.send_fds(self._control, [text], [theirs.fileno()])
        return Process(ours, stdout, stderr)

    def close(self) -> None:
        """End the zygote; what it has started goes on."""
        self._control.close()
        self._process.wait()


def serve(control: socket.socket) -> dict[str, Any]:
    """Fork for each order, and tell of each end. Returns in the forks, with their orders."""
    running: dict[int, tuple[int, socket.socket]] = {}
    while True:
        for ready in select.select([control, *running], [], [])[0]:
            if ready is not control:
                pid, connection = running.pop(ready)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                os.close(ready)
                with connection, contextlib.suppress(BrokenPipeError):
                    connection.sendall(f"{code}\n".encode())
                continue
            text, files, _, _ = socket.recv_fds(control, 1 << 16, 1)
            if not text:
                # All the rest is the business of others.
                os._exit(0)
            while not text.endswith(b"\n"):
                text += control.recv(1 << 16)
            connection = socket.socket(fileno=files[0])
            pid = os.fork()
            if not pid:
                os.closerange(3, 1 << 16)
                for left in [control, connection, *(item[1] for item in running.values())]:
                    left.detach()
                return dict(json.loads(text))
            running[os.pidfd_open(pid)] = (pid, connection)
            connection.sendall(f"{pid}\n".encode())


def main() -> None:
    """Be the zygote, and then each process that it is asked for."""
    control, *modules = sys.argv[1:]
    for module in modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    order = serve(socket.socket(fileno=int(control)))

    for number, name in enumerate([os.devnull, order["stdout"], order["stderr"]]):
        file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    os.setsid()
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    # In place of the folder of this file.
    sys.path[:1] = [order["cwd"], *filter(None, path)]
    sys.argv = order["argv"]
    runpy.run_module(order["argv"][0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
