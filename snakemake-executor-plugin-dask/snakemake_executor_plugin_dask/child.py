"""The life of a job in its own process, from the fork to the exit."""

from __future__ import annotations

import _io
import atexit
import contextlib
import ctypes
import gc
import importlib
import io
import json
import linecache
import os
import pickle
import signal
import socket
import sys
import threading
import traceback
import types
from collections.abc import Iterable
from typing import Any, NoReturn

from . import handover, ledger

# What each job needs is looked up once, before the forks: a page that a fork touches is copied.
prctl = ctypes.CDLL(None).prctl
PR_SET_PDEATHSIG = 1
OOM_SCORE = b"800"
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def main(request: dict[str, Any], fds: list[int], close: Iterable[socket.socket]) -> NoReturn:
    """Run a job and exit. The descriptors are of its payload, stdout, stderr and report."""
    status = 1
    try:
        detach(close)
        payload_fd, stdout, stderr, report_fd = fds
        redirect(stdout, stderr)
        with os.fdopen(payload_fd, "rb") as file:
            payload = pickle.load(file)
        if request["ledger"]:
            ledger.record_start(request["ledger"])
        os.chdir(request["folder"] or payload["cwd"])
        os.environ.update(payload["env"])
        if "argv" in payload:
            os.execvp(payload["argv"][0], payload["argv"])
        handover.expect(payload["handover"])
        status, report = run_script(payload, request["iteration"])
        finish()
        os.pwrite(report_fd, json.dumps(report | handover.report()).encode(), 0)
        if status == 0 and request["ledger"]:
            # Also done by the server, if it lives so long.
            ledger.record_end(request["ledger"], 0)
    except BaseException:
        # Nothing of the workflow's own comes here: the job can't be run on this worker.
        with contextlib.suppress(BaseException):
            text = traceback.format_exc()
            os.write(2, text.encode())
            os.pwrite(fds[3], json.dumps({"error": text}).encode(), 0)
        status = status or 1
    os._exit(status)


def detach(close: Iterable[socket.socket]) -> None:
    """Leave the server behind: own session, default signals, no descriptors of the server's."""
    server = os.getppid()
    os.setsid()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != server:
        os._exit(1)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for end in close:
        end.close()
    # If memory runs out, the job shall go, not the worker.
    with contextlib.suppress(OSError):
        descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(descriptor, OOM_SCORE)
        os.close(descriptor)


def redirect(stdout: int, stderr: int) -> None:
    """Let everything the job prints, in whatever language, go to its own files."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # type: ignore[misc]  # noqa: SIM115
    sys.stdout = sys.__stdout__ = text_stream(1)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = text_stream(2)  # type: ignore[misc]


def text_stream(fd: int) -> io.TextIOWrapper:
    """Return a stream that writes each line at once, so that both streams keep their order."""
    return io.TextIOWrapper(
        io.FileIO(fd, "w", closefd=False), "utf-8", "backslashreplace", write_through=True
    )


def run_script(payload: dict[str, Any], iteration: int | None) -> tuple[int, dict[str, Any]]:
    """Run a Python script as Snakemake would. Returns the exit code and what to report."""
    prepare_interpreter(payload)
    filename: str = payload["filename"]
    try:
        source = payload["text"]
        if source is None:
            with open(payload["source"], encoding="utf-8") as file:  # noqa: PTH123
                source = file.read()
        # Tracebacks show lines of what was run, whatever has become of the file since.
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        snakemake = pickle.loads(payload["snakemake"])
        if iteration is not None:
            snakemake.bench_iteration = iteration
        module.__dict__.update(
            __file__=filename,
            __real_file__=filename,
            __builtins__=__builtins__,
            snakemake=snakemake,
            Snakemake=importlib.import_module("snakemake.iocontainers").Snakemake,
            logger=importlib.import_module("snakemake.logging").logger,
        )
        if payload["shell_exec"] is not None:
            importlib.import_module("snakemake.shell").shell.executable(payload["shell_exec"])
        exec(compile(source, filename, "exec", dont_inherit=True), module.__dict__)
    except SystemExit as exit_:
        if exit_.code is None or isinstance(exit_.code, int):
            return exit_.code or 0, {}
        print(exit_.code, file=sys.stderr)
        return 1, {"error": str(exit_.code)}
    except BaseException as error:
        text = format_error(error, filename)
        sys.stderr.write(text)
        return 1, {"error": text}
    return 0, {}


def prepare_interpreter(payload: dict[str, Any]) -> None:
    """Make a fork look like an interpreter that was just started for this script."""
    gc.enable()
    sys.path[:0] = [payload["script_dir"]]
    sys.path.extend(payload["search_path"])
    sys.argv = [payload["filename"]]
    # The random module reseeds itself in a fork; NumPy's global generator doesn't.
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed([*os.urandom(16)])
    threads: int = max(payload["threads"], 1)
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    # Libraries that are loaded already have read the variables; the server had them at 1.
    if threads > 1:
        if "pyarrow" in sys.modules:
            sys.modules["pyarrow"].set_cpu_count(threads)
        with contextlib.suppress(ImportError):
            importlib.import_module("threadpoolctl").threadpool_limits(threads)


def format_error(error: BaseException, filename: str) -> str:
    """Return the traceback, beginning at the script's own lines."""
    trace = error.__traceback__
    while trace and trace.tb_frame.f_code.co_filename != filename:
        trace = trace.tb_next
    if trace or isinstance(error, SyntaxError):
        error = error.with_traceback(trace)
    return "".join(traceback.format_exception(error))


def finish() -> None:
    """Do what an interpreter does before it ends, without taking the preloaded modules apart."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.modules["__main__"].__dict__.clear()
    gc.collect()
    # A file that was never closed is flushed by an ordinary exit.
    for thing in gc.get_objects():
        if isinstance(thing, _io._IOBase):
            with contextlib.suppress(OSError, ValueError):
                thing.flush()
