"""Computing a catalog in this process, without Snakemake and without files of results."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from deriv_ops.job import read_input, telling
from deriv_ops.locations import location
from deriv_ops.variables import FileVar, Var, Variable


class MemoryEngine:
    """Computes variables and keeps every frame, so that each is computed once.

    The memory it takes is that of all frames it has computed: dates x shares x 8 bytes each.

    Parameters
    ----------
    inputs_dir: the folder of the input tables; by default that of ``config/config.yaml`` below the
        current folder, where the sample market is made if that is what is configured.

    """

    def __init__(self, inputs_dir: str | Path | None = None) -> None:
        self.inputs_dir = _configured_inputs() if inputs_dir is None else location(inputs_dir)
        self._frames: dict[Variable, pd.DataFrame] = {}

    def compute(self, variable: Variable) -> pd.DataFrame:
        """Return the variable's frame; it is shared, so copy it before changing it."""
        waiting = [variable]
        while waiting:
            parents = waiting[-1].parents if isinstance(waiting[-1], Var) else ()
            missing = [parent for parent in parents if parent not in self._frames]
            if missing:
                waiting += missing
                continue
            current = waiting.pop()
            if current not in self._frames:
                with telling(current.label):
                    self._frames[current] = self._computed(current)
        return self._frames[variable]

    def _computed(self, variable: Variable) -> pd.DataFrame:
        if isinstance(variable, FileVar):
            folder = self.inputs_dir / (variable.input_folder or "")
            return read_input(folder / variable.filename, variable.reader)
        assert isinstance(variable, Var)
        frames = [self._frames[parent] for parent in variable.parents]
        result: pd.DataFrame = variable.operator(*frames, **variable.params)
        return result


def _configured_inputs() -> Path:
    from deriv_ops.config import read_config
    from deriv_ops.sample import write_market

    config = read_config()
    if config.sample and not config.inputs_dir.exists():
        write_market(config.inputs_dir, **config.sample)
    return config.inputs_dir
