"""The configuration, as `config/config.yaml` and `config/schema.yaml` describe it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deriv_ops.catalog import Catalog, load_catalog
from deriv_ops.errors import ConfigError, did_you_mean
from deriv_ops.locations import is_remote, list_names, location
from deriv_ops.sample import MARKET_FILES
from deriv_ops.sample_tables import TABLE_FILES

CONFIG_FILE = Path("config/config.yaml")
_SAMPLE = ("dates", "shares", "seed")


@dataclass(frozen=True)
class Config:
    """The configuration of a run.

    Attributes
    ----------
    catalog: module or file of the catalog.
    inputs_dir: folder or URL of the input tables; when not set, the sample market's.
    results_dir: folder or URL of the results.
    vars_to_launch: names of the variables to compute; empty for all.
    codec: how results are compressed.
    precision: how the numbers of results are stored.
    memory_mb: what a derivation may use of memory.
    group_by: which derivations are a group of Snakemake's: those of a level of the graph, or none.
    sample: dates, shares and seed of the sample market; None when the inputs are the user's.

    """

    catalog: str
    inputs_dir: Path
    results_dir: Path
    vars_to_launch: tuple[str, ...]
    codec: str
    precision: str
    memory_mb: int
    group_by: str
    sample: Mapping[str, int] | None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Config:
        """Take the values of a configuration that the schema has passed."""
        results_dir = location(values["results_dir"])
        own_inputs = values["inputs_dir"]
        return cls(
            catalog=values["catalog"],
            inputs_dir=location(own_inputs) if own_inputs else results_dir / "sample_market",
            results_dir=results_dir,
            vars_to_launch=names_to_launch(values["vars_to_launch"]),
            codec=values["codec"],
            precision=values["precision"],
            memory_mb=values["memory_mb"],
            group_by=values["group_by"],
            sample=None if own_inputs else {key: values[f"sample_{key}"] for key in _SAMPLE},
        )

    def load_catalog(self) -> Catalog:
        """Load the catalog; its input files must be there, or be those of the sample market.

        Results in object storage must be somewhere that can be reached.
        """
        if is_remote(self.results_dir):
            list_names(self.results_dir)
        made = MARKET_FILES + TABLE_FILES if self.sample else ()
        return load_catalog(self.catalog, self.inputs_dir, made)


def read_config(path: str | Path = CONFIG_FILE, changes: Mapping[str, Any] | None = None) -> Config:
    """Read a configuration file, with some values changed; `schema.yaml` lies beside it.

    Raises as `check_schema` does.
    """
    import yaml

    path = Path(path)
    if not path.is_file():
        raise ConfigError(
            f"{path}: no such file in {Path.cwd()}; go to the project's folder, or say where the "
            "inputs are with inputs_dir"
        )
    values = {**yaml.safe_load(path.read_text()), **(changes or {})}
    check_schema(values, path.parent / "schema.yaml")
    return Config.of(values)


def check_schema(values: Mapping[str, Any], schema: Path) -> None:
    """Raise `ConfigError` with every key whose value the schema doesn't allow."""
    import jsonschema
    import yaml

    allowed = yaml.safe_load(schema.read_text())
    keys = list(allowed["properties"])
    wrong = [f"{key}: no such key{did_you_mean(key, keys)}" for key in values if key not in keys]
    allowed["additionalProperties"] = True
    validator = jsonschema.Draft202012Validator(allowed)
    wrong += [
        f"{'.'.join(map(str, error.path)) or 'the top level'}: {error.message}"
        for error in sorted(validator.iter_errors(values), key=lambda error: str(error.path))
    ]
    if wrong:
        raise ConfigError(
            f"in the configuration: {'; '.join(wrong)} (the keys are told in {schema.parent}/"
            "README.md)"
        )


def names_to_launch(value: str | list[str] | None) -> tuple[str, ...]:
    """Return the names of a list, of a text that separates them by lines, or of such a file.

    A command line may turn line ends into blanks, so these separate too.

    >>> names_to_launch("fin_pricez1d\\n\\n# not this\\nclustervol")
    ('fin_pricez1d', 'clustervol')
    """
    if not value:
        return ()
    if isinstance(value, str):
        is_file = "\n" not in value and Path(value).is_file()
        value = (Path(value).read_text() if is_file else value).splitlines()
    return tuple(name for line in value for name in line.partition("#")[0].split())
