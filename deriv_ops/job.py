"""What the rule of a derivation runs: read the parents, compute, write one result.

A derivation travels as the rule's one parameter, `as_param`: plain values which say all of what is
computed. Snakemake compares it with that of the last run, so it holds the digest of the code too.
"""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from deriv_ops import blocks
from deriv_ops.block_files import MB
from deriv_ops.blocks import Limits
from deriv_ops.catalog import import_folder
from deriv_ops.digests import code_digest
from deriv_ops.errors import DerivationError, DerivOpsError, InputFileError
from deriv_ops.locations import is_remote, location, open_whole
from deriv_ops.operators.conventions import conform
from deriv_ops.operators.declare import Operator
from deriv_ops.parquet import is_plain
from deriv_ops.readers import checked, find_table, read_table
from deriv_ops.references import reference, resolve
from deriv_ops.store import in_precision, read_provenance, read_result, write_result
from deriv_ops.variables import FileVar, Reader, Var

_LIBRARIES = ("deriv-ops", "numpy", "pandas", "pyarrow", "scipy")

logger = logging.getLogger("deriv_ops")


def as_param(variable: FileVar | Var, precision: str = "float64") -> dict[str, Any]:
    """Return a checked variable of a catalog, and how its numbers are stored, as plain values."""
    named: dict[str, Any] = {"derivation": variable.label, "precision": precision}
    if isinstance(variable, FileVar):
        reader = variable.reader or read_table
        code = code_digest(reader, checked)
        return named | {"reader": reference(reader), "file": variable.filename, "code": code}
    operator: Operator = variable.operator
    return named | {
        "operator": reference(operator.function),
        "params": operator.check_params(variable.params)[0],
        "parents": [parent.label for parent in variable.parents],
        "code": code_digest(operator, conform),
    }


def check_code(derivation: Mapping[str, Any]) -> None:
    """Raise DerivationError unless the code here is that which the run was planned with.

    A worker may have another: an image that was built before, a checkout that is behind.
    """
    name = derivation.get("operator") or derivation["reader"]
    with telling(derivation["derivation"]):
        here = code_digest(resolve(name), conform if "operator" in derivation else checked)
        if here != derivation["code"]:
            raise DerivOpsError(
                f"{name} has other code on {platform.node()} than where the run was planned: "
                "rebuild the image, or bring the checkout there up to date; if it was changed "
                "during the run, start again"
            )


def read_input(path: Path, reader: Reader | None = None) -> pd.DataFrame:
    """Read an input table, with a reader of the user's if there is one."""
    found = find_table(path)
    if found is None:
        raise InputFileError(f"{path}: no such file")
    if reader is None or reader is read_table:
        return read_table(found)
    try:
        frame = reader(found)
    except DerivOpsError:
        raise
    except Exception as error:
        raise InputFileError(
            f"{found}: {reference(reader)} failed: {type(error).__name__}: {error}"
        ) from error
    return checked(frame, found)


def compute(
    derivation: Mapping[str, Any],
    inputs: Sequence[Path],
    output: Path,
    codec: str = "none",
    limits: Limits | None = None,
) -> None:
    """Compute one derivation from the files of its parents and write its result.

    With `limits`, frames that don't fit into that memory are taken block by block.
    """
    with telling(derivation["derivation"]):
        started = time.perf_counter()
        if "reader" in derivation:
            summary = _convert(derivation, inputs[0], output, codec, limits)
        else:
            summary = _derive(derivation, inputs, output, codec, limits)
        logger.info(
            "%s: %s x %s, %.1f %% missing, %.2f s, at most %s MB of memory, %s",
            *(derivation["derivation"], summary["rows"], summary["columns"]),
            100 * summary["missing"],
            *(time.perf_counter() - started, _peak_memory(), output),
        )


def _convert(
    derivation: Mapping[str, Any], path: Path, output: Path, codec: str, limits: Limits | None
) -> dict[str, Any]:
    """Make a result of an input table. Returns its summary."""
    content = content_digest(path)
    precision = derivation["precision"]
    provenance = _provenance(derivation, {derivation["file"]: content}, [content])
    reader = resolve(derivation["reader"])
    is_parquet = reader is read_table and path.suffix.lower() == ".parquet"
    in_blocks = limits and is_parquet and not is_remote(path)
    if limits and in_blocks and blocks.needed([path]) > limits.memory:
        _tell_blocks(limits)
        return blocks.convert(path, output, provenance, limits, codec, precision)
    frame = _stored(read_input(path, reader), precision)
    return write_result(output, frame, provenance, codec)


def _derive(
    derivation: Mapping[str, Any],
    inputs: Sequence[Path],
    output: Path,
    codec: str,
    limits: Limits | None,
) -> dict[str, Any]:
    """Compute what has an operator. Returns the result's summary."""
    operator, params = resolve(derivation["operator"]), derivation["params"]
    # Objects are taken whole.
    whole = (
        limits is None
        or any(map(is_remote, inputs))
        or blocks.needed(inputs, operator, params) <= limits.memory
    )
    results = [read_result(path) for path in inputs] if whole else []
    made = [result.provenance for result in results] or [read_provenance(path) for path in inputs]
    parents = [provenance["digests"]["result"] for provenance in made]
    precision = derivation["precision"]
    digests = dict(zip(derivation["parents"], parents, strict=True))
    provenance = _provenance(derivation, digests, parents)
    if limits and not whole:
        _tell_blocks(limits)
        return blocks.derive(operator, params, inputs, output, provenance, limits, codec, precision)
    frame = operator.apply([result.frame for result in results], params)
    return write_result(output, _stored(frame, precision), provenance, codec)


def _tell_blocks(limits: Limits) -> None:
    text = "more than fits into %s MB: block by block, %s at a time"
    logger.info(text, limits.memory // MB, limits.threads)


def content_digest(path: Path) -> str:
    """Return a digest of an input file."""
    with open_whole(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def result_digest(derivation: Mapping[str, Any], inputs: Sequence[str]) -> str:
    """Return the digest of what a derivation gives, for those of its inputs, in their order."""
    if "reader" in derivation:
        made_of = [derivation["code"], *inputs, derivation["precision"]]
    else:
        keys = ("code", "operator", "params")
        made_of = [*(derivation[key] for key in keys), [*inputs], derivation["precision"]]
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]


def _provenance(
    derivation: Mapping[str, Any], inputs: Mapping[str, str], digests_of_inputs: Sequence[str]
) -> dict[str, Any]:
    result = result_digest(derivation, digests_of_inputs)
    digests = {"inputs": dict(inputs), "result": result}
    return {**derivation, "digests": digests, "versions": _VERSIONS}


@contextmanager
def telling(derivation: str) -> Iterator[None]:
    """Say in every error which derivation it happened in."""
    try:
        yield
    except Exception as error:
        # Ours are written to be read; of any other the kind matters too.
        text = (
            str(error) if isinstance(error, DerivOpsError) else f"{type(error).__name__}: {error}"
        )
        raise DerivationError(f"{derivation}: {text}") from error


def run_script(snakemake: Any) -> None:
    """Run a job from the object that Snakemake gives a script, with the rule's log.

    An error that a person can mend ends the job with one message; the log has the traceback.
    """
    folder = import_folder(snakemake.config["catalog"])
    if folder is not None:
        sys.path.insert(0, str(folder))
    log = Path(snakemake.log[0])
    log.parent.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=log, filemode="w", format="%(asctime)s %(levelname)s %(message)s", level="INFO"
    )
    logging.captureWarnings(True)
    try:
        inputs = [location(path) for path in snakemake.input]
        output, codec = location(snakemake.output[0]), snakemake.config["codec"]
        check_code(snakemake.params.derivation)
        resources = snakemake.resources
        memory, threads = resources.mem_mb * MB, snakemake.threads
        if hasattr(resources, "cpus_per_task"):
            # A job of its own in Slurm has these CPUs, or a part of them, whatever its rule says.
            from snakemake_executor_plugin_dask import machine

            threads = min(max(threads, resources.cpus_per_task), machine.cpus())
            memory = min(memory, machine.memory_bytes())
        limits = Limits(memory, threads)
        compute(snakemake.params.derivation, inputs, output, codec, limits)
    except DerivationError as error:
        logger.exception("failed")
        # The cause is of our own making where there is nothing in the code to look for.
        if isinstance(error.__cause__, DerivOpsError):
            raise SystemExit(f"{error}\n(traceback in {log})") from error
        raise


def _peak_memory() -> int:
    """Return the most memory that this process has had, in MB; 0 where nothing tells."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) // 1024


def _stored(frame: pd.DataFrame, precision: str) -> pd.DataFrame:
    """Return a frame with its numbers in the precision that the file has."""
    if precision == "float64":
        return frame
    if is_plain(frame):
        stored = in_precision(frame.to_numpy(), precision)
        return pd.DataFrame(stored, frame.index, frame.columns, copy=False)
    numbers = frame.select_dtypes("float64")
    return frame.assign(**{str(c): in_precision(numbers[c].to_numpy(), precision) for c in numbers})


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:  # used from a checkout that isn't installed
            versions[library] = "unknown"
    return versions


# Once for all jobs of a warm worker: looking them up takes longer than many operators do.
_VERSIONS = _versions()
