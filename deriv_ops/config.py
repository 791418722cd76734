"""The configuration, as `config/config.yaml` and `config/schema.yaml` describe it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deriv_ops.catalog import Catalog, load_catalog
from deriv_ops.errors import ConfigError
from deriv_ops.sample import MARKET_FILES

CONFIG_FILE = Path("config/config.yaml")


@dataclass(frozen=True)
class Config:
    """The configuration of a run.

    Attributes
    ----------
    catalog: module or file of the catalog.
    inputs_dir: folder of the input tables; the sample market's, below the results, when not set.
    results_dir: folder of the results.
    vars_to_launch: names of the variables to compute; empty for all.
    sample: dates, shares and seed of the sample market; None when the inputs are the user's.

    """

    catalog: str
    inputs_dir: Path
    results_dir: Path
    vars_to_launch: tuple[str, ...]
    sample: Mapping[str, int] | None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Config:
        """Take the values of a configuration that the schema has passed."""
        results_dir = Path(values["results_dir"])
        own_inputs = values["inputs_dir"]
        return cls(
            catalog=values["catalog"],
            inputs_dir=Path(own_inputs) if own_inputs else results_dir / "sample_market",
            results_dir=results_dir,
            vars_to_launch=names_to_launch(values["vars_to_launch"]),
            sample=None if own_inputs else values["sample"],
        )

    def load_catalog(self) -> Catalog:
        """Load the catalog; its input files must be there, or be those of the sample market."""
        made = MARKET_FILES if self.sample else ()
        return load_catalog(self.catalog, self.inputs_dir, made)


def read_config(path: str | Path = CONFIG_FILE) -> Config:
    """Read a configuration file; the schema lies beside it.

    Raises `ConfigError`, which names the file, the key and what it may be.
    """
    import jsonschema
    import yaml

    path = Path(path)
    if not path.is_file():
        raise ConfigError(
            f"{path}: no such file in {Path.cwd()}; go to the project's folder, or say where the "
            "inputs are with inputs_dir"
        )
    values = yaml.safe_load(path.read_text())
    schema = yaml.safe_load((path.parent / "schema.yaml").read_text())
    try:
        jsonschema.validate(values, schema)
    except jsonschema.ValidationError as error:
        raise ConfigError(f"{path}: {error.json_path}: {error.message}") from error
    return Config.of(values)


def names_to_launch(value: str | list[str] | None) -> tuple[str, ...]:
    """Return the names of a list, of a text with one on each line, or of such a file.

    >>> names_to_launch("fin_pricez1d\\n\\n# not this\\nclustervol")
    ('fin_pricez1d', 'clustervol')
    """
    if not value:
        return ()
    if isinstance(value, str):
        is_file = "\n" not in value and Path(value).is_file()
        value = (Path(value).read_text() if is_file else value).splitlines()
    names = (name.partition("#")[0].strip() for name in value)
    return tuple(name for name in names if name)
