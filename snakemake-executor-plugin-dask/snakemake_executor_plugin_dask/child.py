"""The life of a job's process, from the fork to the exit."""

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
import mmap
import os
import pickle
import random
import resource
import signal
import socket
import sys
import threading
import traceback
import types
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from . import handover, ledger
from .state import State

# What each job needs is looked up once, before the forks: a page that a fork touches is copied.
prctl = ctypes.CDLL(None).prctl
PR_SET_PDEATHSIG = 1
OOM_SCORE = b"800"
# Stands in a job for the folder for temporary files of the machine it will run on.
TMPDIR = "/@tmpdir@"
TMPDIR_VARIABLES = ("TMPDIR", "TMP", "TEMPDIR", "TEMP")
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def main(fds: list[int], note: mmap.mmap, close: Iterable[socket.socket]) -> NoReturn:
    """Run jobs until one was the last, and exit.

    The descriptors are of a connection to the worker, which sends jobs, and of files for stdout,
    stderr and the report of the last job. `note` holds the path of the running job's ledger.
    """
    status = 1
    try:
        detach(close)
        for fd in fds:
            os.set_inheritable(fd, False)
        status = JobProcess(fds, note).run()
    except BaseException:
        # Nothing of the workflow's own comes here: the job can't be run on this worker.
        text = traceback.format_exc()
        for fd, data in ((2, text), (fds[3], json.dumps({"error": text}))):
            with contextlib.suppress(BaseException):
                os.write(fd, data.encode())
    os._exit(status)


class JobProcess:
    """Takes jobs from the worker, one after another."""

    def __init__(self, fds: list[int], note: mmap.mmap) -> None:
        self.worker = Connection(fds[0])
        self.stdout, self.stderr, self.report = fds[1:]
        self.note = note
        self.pid = os.getpid()
        # What the process was like before its first job, if there may be a second.
        self.state: State | None = None
        redirect(self.stdout, self.stderr)

    def run(self) -> int:
        """Return the exit code, which is that of the last job."""
        while True:
            try:
                request = json.loads(self.worker.recv_bytes())
            except EOFError:
                return 0  # not needed any more
            if self.state and self.state.is_stale():
                return 0  # the job hasn't begun, so the worker gives it to another process
            if self.state:
                reset_peak_memory()
            elif request["keep"]:
                self.state = State()
            before = Usage.now()
            status, report, ended = self.run_job(request)
            text = json.dumps(report).encode()
            if ended:
                os.pwrite(self.report, text, 0)
            if status == 0 and request["ledger"]:
                # Also done by the server, if it lives so long.
                ledger.record_end(request["ledger"], 0)
            if ended:
                return status
            set_note(self.note, "")
            self.worker.send_bytes(json.dumps(Usage.now().since(before)).encode())
            self.worker.send_bytes(text)

    def run_job(self, request: dict[str, Any]) -> tuple[int, dict[str, Any], bool]:
        """Run a job. Returns its exit code, its report, and whether the process has to end."""
        payload = pickle.loads(self.worker.recv_bytes())
        os.dup2(self.stdout if request["merge"] else self.stderr, 2)
        set_note(self.note, request["ledger"] or ledger.NONE)
        if request["ledger"] and not ledger.record_start(request["ledger"]):
            return 1, {"error": "withdrawn"}, True
        os.chdir(request["folder"] or payload["cwd"])
        os.environ.update(payload["env"])
        if "argv" in payload:
            # Python ignores these, what it starts shall not.
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            argv = [here(part) for part in payload["argv"]]
            os.execvp(argv[0], argv)
        handover.begin(payload["handover"], payload["is_read"])
        status, report = run_script(payload, request["iteration"])
        if os.getpid() != self.pid:
            # A fork of the script's own has come to its end, which is not the job's.
            finish()
            os._exit(status & 0xFF)
        ended = status != 0 or self.state is None or self.state.goes_on()
        if not ended:
            clear_main()
            ended = not (self.state and self.state.restore())
        if ended:
            finish()
        return status, report | handover.report(), ended


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
        write("/proc/self/oom_score_adj", OOM_SCORE)


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
        # Tracebacks show lines of what was run, whatever has become of the file since.
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        snakemake = pickle.loads(payload["snakemake"])
        if iteration is not None:
            snakemake.bench_iteration = iteration
        resources = snakemake.resources
        if resources.get("tmpdir") == TMPDIR:
            set_tmpdir(resources, here(TMPDIR))
        # What the lines define that Snakemake puts before a script.
        module.__dict__.update(
            sys=sys,
            pickle=pickle,
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
        complain(f"{exit_.code}\n")
        return 1, {"error": str(exit_.code)}
    except BaseException as error:
        text = format_error(error, filename)
        complain(text)
        return 1, {"error": text}
    return 0, {}


def set_tmpdir(resources: Any, folder: str) -> None:
    """Give a job another folder for temporary files."""
    index, _ = resources._names["tmpdir"]
    resources[index] = folder
    resources._set_name("tmpdir", index)


def here(text: str) -> str:
    """Return a text with this machine's folder for temporary files in it."""
    return text.replace(TMPDIR, os.environ["TMPDIR"]) if TMPDIR in text else text


def prepare_interpreter(payload: dict[str, Any]) -> None:
    """Make the process look like an interpreter that was just started for this script."""
    gc.enable()
    sys.path[:0] = [payload["script_dir"]]
    sys.path.extend(payload["search_path"])
    sys.argv = [payload["filename"]]
    random.seed()
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


def complain(text: str) -> None:
    """Write to the script's stderr, or where it was before the script has set and closed it."""
    try:
        sys.stderr.write(text)
    except Exception:
        with contextlib.suppress(OSError):  # the report has it, too
            os.write(2, text.encode(errors="backslashreplace"))


def finish() -> None:
    """Do what an interpreter does before it ends, without taking the preloaded modules apart."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    # Daemon threads, which an interpreter would stop here, lose the names they know.
    threading.excepthook = lambda _: None
    clear_main()
    gc.collect()
    # What an ordinary exit does for a file that was never closed.
    flush(open_files())


def open_files() -> Iterable[io.IOBase]:
    """Return the file objects that the garbage collector knows of."""
    return (thing for thing in gc.get_objects() if issubclass(type(thing), _io._IOBase))


def flush(files: Iterable[io.IOBase]) -> None:
    """Write out what is still in memory, of those that are open."""
    for file in files:
        with contextlib.suppress(OSError, ValueError):
            file.flush()


def clear_main() -> None:
    """Let go of what the script has made."""
    sys.modules["__main__"].__dict__.clear()


def set_note(note: mmap.mmap, text: str) -> None:
    """Tell the server which ledger to write to if this process ends now."""
    data = text.encode() + b"\0"
    note[: len(data)] = data


@dataclass(frozen=True)
class Usage:
    """What this process and its children have used since it began."""

    cpu: float
    io: tuple[int, int]

    @classmethod
    def now(cls) -> Usage:
        """Return the sums until now."""
        kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        usages = [resource.getrusage(kind) for kind in kinds]
        cpu = sum(usage.ru_utime + usage.ru_stime for usage in usages)
        return cls(cpu, ledger.bytes_read_and_written("self"))

    def since(self, before: Usage) -> dict[str, Any]:
        """Return the difference in the terms of the server: CPU in seconds, bytes of files."""
        io = [now - then for now, then in zip(self.io, before.io, strict=True)]
        return {"cpu": self.cpu - before.cpu, "io": io, "max_rss": peak_memory()}


def peak_memory() -> int:
    """Return the most memory this process has had since `reset_peak_memory`, in bytes."""
    _, _, rest = ledger.read_proc("/proc/self/status").partition("VmHWM:")
    return int(rest.split(maxsplit=1)[0]) * 1024


def reset_peak_memory() -> None:
    """Begin to look for the peak anew."""
    with contextlib.suppress(OSError):
        write("/proc/self/clear_refs", b"5")


def write(path: str, data: bytes) -> None:
    """Write to a file of the kernel's."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
