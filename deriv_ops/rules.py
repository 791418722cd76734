"""The generator of rules: what Snakemake has to know of each derivation of a catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from deriv_ops import blocks
from deriv_ops.block_files import MB
from deriv_ops.catalog import Catalog
from deriv_ops.config import CONFIG_FILE, Config, read_config
from deriv_ops.errors import InputFileError
from deriv_ops.job import as_param
from deriv_ops.locations import is_remote
from deriv_ops.operators.declare import Operator
from deriv_ops.readers import find_table
from deriv_ops.sample_tables import TABLE_FILES
from deriv_ops.variables import FileVar, Var
from snakemake_logger_plugin_catalog.announce import Rule


@dataclass(frozen=True)
class RuleSpec:
    """One rule: its name is the variable's, `derivation` its only parameter.

    Rules of a `group` need none of each other's results, so that many of them can share a job.
    """

    name: str
    message: str
    input: list[str]
    output: str
    log: str
    mem_mb: int | Callable[[Any, Sequence[str]], int]
    derivation: Mapping[str, Any]
    group: str | None


def rule_specs(catalog: Catalog, config: Config) -> Iterator[RuleSpec]:
    """Yield the rule of each variable of the catalog, parents before children."""
    levels: dict[FileVar | Var, int] = {}
    for variable in catalog:
        parents = variable.parents if isinstance(variable, Var) else ()
        level = levels[variable] = max((levels[parent] + 1 for parent in parents), default=0)
        group = f"level_{level}" if config.group_by == "level" else None
        yield rule_spec(variable, config, group)


def rule_spec(variable: FileVar | Var, config: Config, group: str | None = None) -> RuleSpec:
    """Return the rule that makes one variable."""
    return RuleSpec(
        name=str(variable.name),
        # Snakemake formats messages: braces in a parameter's value are not for it.
        message=formula(variable).replace("{", "{{").replace("}", "}}"),
        input=input_paths(variable, config),
        output=result_path(variable, config),
        log=log_path(variable),
        mem_mb=memory(variable, config),
        derivation=as_param(variable, config.precision),
        group=group,
    )


def result_path(variable: FileVar | Var, config: Config) -> str:
    """Return the Parquet file of a variable."""
    return str(config.results_dir / variable.folder / f"{variable.name}.parquet")


def input_paths(variable: FileVar | Var, config: Config) -> list[str]:
    """Return the files that a variable is made of."""
    if isinstance(variable, Var):
        return [result_path(parent, config) for parent in variable.parents]
    path = config.inputs_dir / (variable.input_folder or "") / variable.filename
    # The sample market's files aren't there before its rule has run, and have the names they have.
    return [str(path if config.sample else find_table(path) or path)]


def log_path(variable: FileVar | Var) -> str:
    """Return the log of a variable's job."""
    return str(Path("logs", variable.folder.lstrip("/"), f"{variable.name}.log"))


def memory(variable: FileVar | Var, config: Config) -> int | Callable[[Any, Sequence[str]], int]:
    """Return the memory of a variable's job in MB, or what tells it when its inputs are there.

    It is what the frames take, by the operator's declaration, and `memory_mb` at the most where
    more can be taken block by block.
    """
    # A group of jobs asks for what is known of each of them beforehand.
    if isinstance(variable, FileVar) or config.group_by != "none" or is_remote(config.results_dir):
        return config.memory_mb
    operator: Operator = variable.operator
    params = operator.check_params(variable.params)[0]

    def mem_mb(wildcards: Any, input: Sequence[str]) -> int:
        try:
            size = blocks.needed([Path(path) for path in input], operator, params)
        except InputFileError:
            return config.memory_mb  # the job will say what is wrong with its inputs
        whole = -(-size // MB)
        return whole if operator.kind == "panel" else min(whole, config.memory_mb)

    return mem_mb


def progress_groups(catalog: Catalog) -> dict[str, Rule]:
    """Return what each rule is counted with when a run is shown, parents before children."""
    groups = {
        str(v.name): Rule(
            v.folder,
            v.operator.name if isinstance(v, Var) else "input tables",
            tuple(str(parent.name) for parent in v.parents)
            if isinstance(v, Var)
            else (("sample_tables" if v.filename in TABLE_FILES else "sample_market"),),
        )
        for v in catalog
    }
    return groups | {"all": Rule("", "other rules", tuple(groups))}


def targets(catalog: Catalog, config: Config) -> list[str]:
    """Return the files that a run without targets makes: those of `vars_to_launch`, or all."""
    return [result_path(variable, config) for variable in catalog.select(config.vars_to_launch)]


def mock_snakemake(name: str, config_file: Path = CONFIG_FILE) -> SimpleNamespace:
    """Return what Snakemake would give the script of a rule, to run it by hand or in an editor."""
    config = read_config(config_file)
    spec = rule_spec(config.load_catalog()[name], config)
    mem_mb = spec.mem_mb(None, spec.input) if callable(spec.mem_mb) else spec.mem_mb
    return SimpleNamespace(
        rule=spec.name,
        input=spec.input,
        output=[spec.output],
        log=[spec.log],
        params=SimpleNamespace(derivation=spec.derivation),
        resources=SimpleNamespace(mem_mb=mem_mb),
        threads=1,
        config={"catalog": config.catalog, "codec": config.codec},
    )


def formula(variable: FileVar | Var) -> str:
    """Return a variable as a person would write it: ``name = operator(parents, params)``."""
    if isinstance(variable, FileVar):
        return f"{variable.name} = {variable.filename}"
    parents = [str(parent.name) for parent in variable.parents]
    params = [f"{key}={value!r}" for key, value in variable.params.items()]
    return f"{variable.name} = {variable.operator.name}({', '.join(parents + params)})"
