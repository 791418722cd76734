"""What the processes of a run listen to, and what they answer to anybody who asks."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import psutil

TLS_ALERT = 21
# What Open MPI opens for itself: mpirun's ports, and those of each rank, from 1024 on.
LAUNCHERS = ("mpirun", "srun")
OPEN_MPI = range(1024, 2048)


def check_listening(folder: Path) -> list[tuple[str, int]]:
    """Check that all processes in a folder listen at one address, to none but TLS; return where."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd() == str(folder) and process.name() not in LAUNCHERS:
                found += [one.laddr for one in process.net_connections() if one.status == "LISTEN"]
    found = [address for address in found if address.port not in OPEN_MPI]
    assert {address.ip for address in found} == {"127.0.0.1"}, found
    for address in found:
        answer = ask(address)
        # Nothing, an alert, or a page that isn't there.
        assert not answer or answer[0] == TLS_ALERT or b" 404 " in answer, (address, answer)
    return found


def ask(address: tuple[str, int], page: str = "/") -> bytes:
    """Ask for a page in plain HTTP."""
    with socket.create_connection(address, timeout=5) as connection:
        connection.sendall(f"GET {page} HTTP/1.0\r\n\r\n".encode())
        with contextlib.suppress(ConnectionResetError):
            return connection.makefile("rb").read()
    return b""
