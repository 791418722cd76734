"""Where files lie: paths of this machine, and URLs of object storage (``s3://``, ``gs://``).

A URL becomes a `UPath`, which has the methods of a path and works through fsspec: `s3fs` or
`gcsfs` do the transfers, retry them, and find the credentials in the environment or the machine's
identity. So none are ever part of a path, a message or a file.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, cast

from deriv_ops.errors import ConfigError


def location(text: str | Path) -> Path:
    """Return the path, or what is used like one, of a file or folder.

    >>> location("results") / "x.parquet"
    PosixPath('results/x.parquet')
    """
    if "://" not in str(text):
        return Path(text)
    try:
        from upath import UPath

        path = UPath(text)
        _ = path.fs
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"{text}: can't be used: {error}; object storage needs `pip install 'deriv-ops[s3]'`, "
            "or [gcs] for gs://"
        ) from error
    # No subclass of Path, because it is none of the file system; its methods are the same.
    return cast(Path, path)


def is_remote(path: Path) -> bool:
    """Whether a location is in object storage."""
    return not isinstance(path, Path)


def open_whole(path: Path) -> io.BufferedIOBase:
    """Open a file to be read from its beginning to its end; of an object by one request.

    Raises `OSError`, whatever the storage's own errors are.
    """
    if not is_remote(path):
        return path.open("rb")
    remote: Any = path
    try:
        return io.BytesIO(remote.fs.cat_file(remote.path))
    except Exception as error:
        raise _as_os_error(error) from error


def read_end(path: Path, size: int) -> bytes:
    """Return the last `size` bytes of a file, or all that there are; of an object by one request.

    Raises `OSError`, as `open_whole` does.
    """
    if not is_remote(path):
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read()
    remote: Any = path
    try:
        return bytes(remote.fs.cat_file(remote.path, start=-size))
    except Exception as error:
        raise _as_os_error(error) from error


class Times:
    """When files were written; of objects a folder is asked for at once, and only once."""

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, ObjectState]] = {}
        self._listing = Lock()

    def of(self, path: Path) -> float:
        """Return the time of a file. Raises `FileNotFoundError`, and `ConfigError` as below."""
        if not is_remote(path):
            return path.stat().st_mtime
        folder = str(path.parent)
        with self._listing:
            if folder not in self._folders:
                self._folders[folder] = list_objects(path.parent)
        try:
            return self._folders[folder][path.name].modified
        except KeyError:
            raise FileNotFoundError(str(path)) from None


def upload(file: Path, path: Path) -> None:
    """Make a finished file an object: it appears whole or not at all. Raises `OSError`."""
    remote: Any = path
    try:
        remote.fs.put_file(str(file), remote.path)
    except Exception as error:
        raise _as_os_error(error) from error


class ObjectState(NamedTuple):
    """When an object was written, in seconds of the epoch, and its bytes."""

    modified: float
    size: int


def list_names(folder: Path, refresh: bool = False) -> set[str]:
    """Return the names in a folder of objects; a missing folder is empty.

    It is asked for once in a process, unless to `refresh`. Raises `ConfigError` when the storage
    says nothing or no, or has no such bucket.
    """
    return {_name(info) for info in _list(folder, refresh)}


def list_objects(folder: Path) -> dict[str, ObjectState]:
    """Return the objects that are in a folder now, by their names; raises as `list_names` does."""
    return {_name(info): _state(info) for info in _list(folder, True) if info["type"] == "file"}


def object_state(path: Path) -> ObjectState:
    """Return what there is to know of one object now. Raises `OSError`."""
    remote: Any = path
    # Also what is known of its folder goes.
    remote.fs.invalidate_cache(remote.path)
    try:
        info = remote.fs.info(remote.path)
    except Exception as error:
        raise _as_os_error(error) from error
    if info["type"] != "file":
        raise FileNotFoundError(str(path))
    return _state(info)


def _state(info: Mapping[str, Any]) -> ObjectState:
    # Each library has a word of its own for the time.
    modified = info["LastModified"] if "LastModified" in info else info["mtime"]
    return ObjectState(modified.timestamp(), info["size"])


def _name(info: Mapping[str, Any]) -> str:
    return str(info["name"].rpartition("/")[2])


def _list(folder: Path, refresh: bool) -> list[Mapping[str, Any]]:
    remote: Any = folder
    try:
        return list(remote.fs.ls(remote.path, detail=True, refresh=refresh))
    except FileNotFoundError as error:
        if _bucket_exists(remote):
            return []
        raise ConfigError(
            f"{folder}: there is no bucket {remote.drive}; make it, or name another"
        ) from error
    except Exception as error:
        reason = _as_os_error(error).strerror
        raise ConfigError(f"{folder}: the storage can't be used: {reason}") from error


def _bucket_exists(remote: Any) -> bool:
    try:
        return bool(remote.fs.exists(remote.drive))
    except PermissionError:
        return True  # it is only its root that may not be listed


def _as_os_error(error: Exception) -> OSError:
    """Return an error of any library's with its reason, and what a person can do about it."""
    reason = str(error).partition("\n")[0] or type(error).__name__
    if isinstance(error, PermissionError):
        reason += " (look at the credentials in the environment, and what they are allowed)"
    elif not isinstance(error, OSError):
        reason = f"{type(error).__name__}: {reason}"
    number = error.errno if isinstance(error, OSError) else None
    return type(error if isinstance(error, OSError) else OSError())(number, reason)
