"""Hand frames from one job to the next on the same machine, without reading them again.

    from snakemake_executor_plugin_dask import handover

    frame = handover.get(path)            # the frame, or None
    if frame is None:
        frame = pandas.read_parquet(path)
    ...
    result.to_parquet(output)
    handover.put(output, result)          # after the file is complete

The file remains the truth. What is handed over is kept in memory beside it and belongs to exactly
the file that was there at the time: if the path, inode, size or time of modification differ,
``get`` returns None. Outside of a run of the Dask executor both functions do nothing.

Snakemake touches each output when its job has ended. So the executor compares the file with what
it was when the frame was put, has Snakemake touch it, and tells the jobs that read it the time it
has from then on (see `Executor._ended` and `handle_job_success`).

Any object that pickles is welcome; NumPy arrays and what is made of them (frames, Arrow tables)
are mapped into the reader's memory and not copied. The reader may change what it gets: the
changes are its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import mmap
import os
import pickle
import secrets
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

VARIABLE = "SNAKEMAKE_DASK_HANDOVER"
ALIGNMENT = 64
# What a file is known by, beside its path: inode, size, time of modification in ns.
Identity = tuple[int, int, int]

_transferred = {"put": 0, "got": 0, "hits": 0}
# What this process has put, and what the executor knows of the files this process will read:
# path: (name of the entry, identity of the file).
_put: dict[str, tuple[str, Identity]] = {}
_known: dict[str, tuple[str, Identity]] = {}
# Whether any job of the run will read what this one writes.
_is_read = True


def put(path: str | os.PathLike[str], value: Any) -> bool:
    """Keep a value for the jobs that will read this file. Call it when the file is complete.

    Returns whether it was kept: not outside of a run of the Dask executor, when no other job of the
    run reads what this one writes, when the value is larger than the space for all, or when memory
    or disk is full.
    """
    if not _is_read or not (place := _place()):
        return False
    directory, limit = place
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    views = [buffer.raw() for buffer in buffers]
    offset = _aligned(struct.calcsize(f"<{2 + len(views)}Q") + len(head))
    size = offset + sum(_aligned(view.nbytes) for view in views)
    if size > limit or not stamp(path) or not (identity := identify(path)):
        return False
    path = os.path.realpath(path)
    key = _entry(path, identity)
    temporary = directory / f".{secrets.token_hex(8)}"
    try:
        with _reserve(directory, limit, temporary, size) as file:
            sizes = [len(head), len(views), *(view.nbytes for view in views)]
            file.write(struct.pack(f"<{len(sizes)}Q", *sizes))
            file.write(head)
            for view in views:
                file.seek(_aligned(file.tell()))
                file.write(view)
            with _locked(directory):  # whoever counts at this moment would find neither name
                temporary.rename(directory / key)
    except OSError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    _put[path] = (key, identity)
    _transferred["put"] += size
    return True


def get(path: str | os.PathLike[str]) -> Any | None:
    """Return the value that was put for this file as it is now, or None."""
    if not (place := _place()) or not (identity := identify(path)):
        return None
    path = os.path.realpath(path)
    key, expected = _known.get(path, (_entry(path, identity), identity))
    if identity != expected:
        return None
    try:
        with (place[0] / key).open("rb") as file:
            # Copy on write: the reader may change its pages, nobody else sees it.
            memory = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
            os.utime(file.fileno())
    except OSError:
        return None
    head_size, count = struct.unpack_from("<2Q", memory)
    sizes = struct.unpack_from(f"<{count}Q", memory, 16)
    offset = 16 + 8 * count
    head = memory[offset : offset + head_size]
    offset = _aligned(offset + head_size)
    views = []
    for size in sizes:
        views.append(memory[offset : offset + size])
        offset += _aligned(size)
    _transferred["got"] += memory.nbytes
    _transferred["hits"] += 1
    return pickle.loads(head, buffers=views)


def begin(known: dict[str, tuple[str, Identity]], is_read: bool) -> None:
    """Learn what the executor knows: of the job's inputs, and whether its outputs will be read.

    Called before a script begins.
    """
    global _is_read
    _is_read = is_read
    _put.clear()
    _known.clear()
    _known.update(known)
    _transferred.update(put=0, got=0, hits=0)


def report() -> dict[str, Any]:
    """Return what the executor has to know: bytes put and got, how often, and what was put."""
    return {**_transferred, "entries": dict(_put)}


def identify(path: str | os.PathLike[str]) -> Identity | None:
    """Return what a file is known by; None if there is no file."""
    try:
        # Opened, because a network file system checks for changes only then.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        stat = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def stamp(path: str | os.PathLike[str]) -> bool:
    """Give a file a time of modification that no other write will give it.

    Kernels keep this time in ticks of some milliseconds, so that two writes within a tick can't be
    told apart. A random part of a millisecond on top can.
    """
    try:
        stat = Path(path).stat()
        modified = stat.st_mtime_ns + 1 + secrets.randbelow(999_999)
        os.utime(path, ns=(stat.st_atime_ns, modified))
        return Path(path).stat().st_mtime_ns == modified  # not if the file system keeps less
    except OSError:
        return False


def _place() -> tuple[Path, int] | None:
    directory, _, limit = os.environ.get(VARIABLE, "").rpartition(":")
    return (Path(directory), int(limit)) if directory else None


def _entry(path: str, identity: Identity) -> str:
    return hashlib.blake2b(repr((path, identity)).encode(), digest_size=20).hexdigest()


def _reserve(directory: Path, limit: int, path: Path, size: int) -> IO[bytes]:
    """Return a new file of a size for which there is room. Raises OSError if there is none."""
    with _locked(directory):  # one at a time: each sees what the others have taken, written or not
        _evict(directory, limit - size)
        file = path.open("wb")
        # Says that somebody writes it, as long as that one lives.
        fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(size)
        return file


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    folder = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _evict(directory: Path, room: int) -> None:
    """Drop what was used least recently until what is left fits. Raises OSError if it can't."""
    entries = []
    with os.scandir(directory) as scan:
        for entry in scan:
            with contextlib.suppress(FileNotFoundError):
                stat = entry.stat()
                entries.append((stat.st_mtime_ns, stat.st_size, entry.path))
    total = sum(size for _, size, _ in entries)
    for _, size, name in sorted(entries):
        if total <= room:
            return
        if not _is_being_written(name):
            with contextlib.suppress(FileNotFoundError):
                Path(name).unlink()
            total -= size
    if total > room:
        raise OSError("no room")


def _is_being_written(name: str) -> bool:
    with open(name, "rb") as file:  # noqa: PTH123
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
