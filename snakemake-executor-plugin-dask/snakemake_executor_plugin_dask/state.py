"""What a script may change of its process, so that the process can run the same script again.

Most can be put back: the environment, the path, the streams, warnings, logging, signals, NumPy's
error handling. Of some, a change means that the process is not used again: threads, processes and
files that were left open, functions to be called at exit, limits, locale. What a script has set
inside of other libraries stays; so a process only ever runs one script, which sets it again.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import gc
import locale
import logging
import os
import resource
import signal
import socket
import sys
import sysconfig
import tempfile
import threading
import time
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

from . import ledger

# A process that has more memory than this above what it began with isn't used again.
KEPT_BYTES = 256 * 2**20
# By which the clock of a file system may be behind.
CLOCK_NS = 2 * 10**9
INSTALLED = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "purelib", "platlib")})
SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]


class State:
    """The state of this process at one time."""

    def __init__(self) -> None:
        self.environ = dict(os.environ)
        self.path = list(sys.path)
        self.streams = (sys.stdin, sys.stdout, sys.stderr)
        self.hooks = (sys.excepthook, sys.displayhook, threading.excepthook)
        self.recursion = sys.getrecursionlimit()
        self.umask = _umask()
        self.filters = list(warnings.filters)
        self.signals = {number: signal.getsignal(number) for number in SIGNALS}
        self.loggers = {name: _logger_state(logger) for name, logger in _loggers().items()}
        self.modules = set(sys.modules)
        self.numpy = _numpy_state()
        self.decimal = decimal.getcontext().copy() if (decimal := _decimal()) else None
        self.socket_timeout = socket.getdefaulttimeout()
        self.switch_interval = sys.getswitchinterval()
        self.memory = _memory()
        self.lasting = _lasting()
        # Modules of the workflow that a job has imported: file, and what it is known by.
        self.sources: dict[str, tuple[int, int]] = {}
        self.began = time.time_ns()

    def goes_on(self) -> bool:
        """Whether a job has left threads, or functions to be called at the end of the process."""
        return (threading.active_count(), atexit._ncallbacks()) != self.lasting[:2]

    def restore(self) -> bool:
        """Put back what a job has changed. Whether nothing of it is left."""
        for timer in TIMERS:
            signal.setitimer(timer, 0)
        logging.captureWarnings(False)
        for name, logger in _loggers().items():
            _restore_logger(logger, self.loggers.get(name, (logging.NOTSET, [], [], True, False)))
        if os.environ != self.environ:
            for name in os.environ.keys() - self.environ.keys():
                del os.environ[name]
            for name, value in self.environ.items():
                if os.environ.get(name) != value:
                    os.environ[name] = value
            time.tzset()
        # Looked up anew when a job asks for it: each may have a `tmpdir` of its own.
        tempfile.tempdir = None
        sys.path[:] = self.path
        sys.stdin, sys.stdout, sys.stderr = self.streams
        sys.excepthook, sys.displayhook, threading.excepthook = self.hooks
        sys.setrecursionlimit(self.recursion)
        sys.setswitchinterval(self.switch_interval)
        socket.setdefaulttimeout(self.socket_timeout)
        os.umask(self.umask)
        if warnings.filters != self.filters:
            warnings.filters[:] = self.filters  # type: ignore[index]
            warnings._filters_mutated()  # type: ignore[attr-defined]
        for number, handler in self.signals.items():
            if signal.getsignal(number) is not handler and handler is not None:
                signal.signal(number, handler)
        if self.numpy and _numpy_state() != self.numpy:
            sys.modules["numpy"].seterr(**self.numpy)
        if decimal := _decimal():
            decimal.setcontext((self.decimal or decimal.DefaultContext).copy())
        self._note_modules()
        # Survivors are looked through no more.
        gc.collect()
        gc.freeze()
        return _lasting() == self.lasting and _memory() < self.memory + KEPT_BYTES

    def is_stale(self) -> bool:
        """Whether a module of the workflow has changed since a job has imported it."""
        return any(_source_state(file) != known for file, known in self.sources.items())

    def _note_modules(self) -> None:
        for name in sys.modules.keys() - self.modules:
            module = sys.modules[name]
            file = getattr(module, "__file__", None) if isinstance(module, ModuleType) else None
            if file and not file.startswith(INSTALLED):
                modified, size = _source_state(file)
                # It may have changed between its import and now.
                young = modified > self.began - CLOCK_NS
                self.sources[file] = (0, 0) if young else (modified, size)
        self.modules = set(sys.modules)


def _lasting() -> tuple[Any, ...]:
    """Return what can't be put back."""
    return (
        threading.active_count(),
        atexit._ncallbacks(),
        len(os.listdir("/proc/self/fd")),  # noqa: PTH208
        os.getpriority(os.PRIO_PROCESS, 0),
        os.sched_getscheduler(0),
        os.sched_getaffinity(0),
        signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        vars(builtins).copy(),
        locale.setlocale(locale.LC_ALL),
        tuple(resource.getrlimit(limit) for limit in LIMITS),
        _relatives(),
    )


def _relatives() -> int:
    """Return how many processes this one has started, also by way of others that have ended."""
    count = 0
    me, parent = os.getpid(), os.getppid()
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # it has just ended
            count += len(ledger.read_proc(f"{thread}/children").split())
    # The fork server adopts them.
    for pid in ledger.read_proc(f"/proc/{parent}/task/{parent}/children").split():
        with contextlib.suppress(OSError):
            count += int(pid) != me and os.getsid(int(pid)) == me
    return count


def _memory() -> int:
    return int(ledger.read_proc("/proc/self/statm").split()[1]) * resource.getpagesize()


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _numpy_state() -> dict[str, Any] | None:
    numpy = sys.modules.get("numpy")
    return numpy.geterr() if numpy else None


def _decimal() -> Any:
    return sys.modules.get("decimal")


def _source_state(file: str) -> tuple[int, int]:
    try:
        stat = Path(file).stat()
    except OSError:
        return 1, 0
    return stat.st_mtime_ns, stat.st_size


def _loggers() -> dict[str, logging.Logger]:
    loggers = logging.Logger.manager.loggerDict.items()
    named = {name: logger for name, logger in loggers if isinstance(logger, logging.Logger)}
    return {"": logging.getLogger(), **named}


def _logger_state(logger: logging.Logger) -> tuple[Any, ...]:
    handlers, filters = list(logger.handlers), list(logger.filters)
    return logger.level, handlers, filters, logger.propagate, logger.disabled


def _restore_logger(logger: logging.Logger, state: tuple[Any, ...]) -> None:
    if _logger_state(logger) == state:
        return
    level, handlers, filters, propagate, disabled = state
    for handler in logger.handlers[:]:
        if handler not in handlers:
            logger.removeHandler(handler)
            handler.close()
    logger.setLevel(level)
    logger.handlers[:] = handlers
    logger.filters[:] = filters
    logger.propagate, logger.disabled = propagate, disabled
