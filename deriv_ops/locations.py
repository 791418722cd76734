"""Where files lie: paths of this machine, and URLs of object storage (``s3://``, ``gs://``).

A URL becomes a `UPath`, which has the methods of a path and works through fsspec: `s3fs` or
`gcsfs` do the transfers, retry them, and find the credentials in the environment or the machine's
identity. So none are ever part of a path, a message or a file.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, cast

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


def upload(file: Path, path: Path) -> None:
    """Make a finished file an object: it appears whole or not at all. Raises `OSError`."""
    remote: Any = path
    try:
        remote.fs.put_file(str(file), remote.path)
    except Exception as error:
        raise _as_os_error(error) from error


def list_names(folder: Path) -> set[str]:
    """Return the names in a folder of objects, asked for once; a missing folder is empty.

    Raises `ConfigError` when the storage says nothing or no, or has no such bucket.
    """
    remote: Any = folder
    try:
        return {name.rpartition("/")[2] for name in remote.fs.ls(remote.path, detail=False)}
    except FileNotFoundError as error:
        if _bucket_exists(remote):
            return set()
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
