"""What exposures do not explain."""

from __future__ import annotations

import numpy as np

from deriv_ops.kernels import Floats, finite, like, values
from deriv_ops.operators.declare import Frame, operator

TINY = np.finfo(np.float64).tiny


@operator("cross section", missing="kept")
def neutralize(x: Frame, /, *exposures: Frame) -> Frame:
    """What the regression of x on the exposures leaves, each date by itself.

    Parameters
    ----------
    x: dates x shares, in any unit.
    exposures: any number of frames, dates x shares; an intercept is always among them.

    Returns
    -------
    dates x shares, in the unit of x. Exposures that say the same do no harm.

    Missing values: missing where x or an exposure is, and on dates with fewer shares than exposures
    and two more.

    >>> import pandas as pd
    >>> x = pd.DataFrame([[1.0, 3, 8, 3]], pd.to_datetime(["2020-01-01"]), list("ABCD"))
    >>> size = x * 0 + [1, 2, 3, 4]
    >>> neutralize(x, size).iloc[0].round(4).tolist()
    [-1.1, -0.2, 3.7, -2.4]

    """
    cells = values(x)
    design = np.stack([np.ones(cells.shape), *map(values, exposures)], axis=2)
    complete = ~(np.isnan(cells) | np.isnan(design).any(axis=2))
    result = np.full(cells.shape, np.nan)
    with np.errstate(over="ignore", invalid="ignore"):
        for row, there in enumerate(complete):
            if there.sum() > design.shape[2]:
                result[row, there] = _residual(design[row, there], cells[row, there])
    return like(x, finite(result))


def _residual(design: Floats, target: Floats) -> Floats:
    """Return the target less its projection on the columns of the design."""
    # Each column counts alike, whatever its unit, and none is too large to be squared.
    design = design / np.maximum(np.abs(design).max(axis=0), TINY)
    scale = max(np.abs(target).max(), TINY)
    centred = design - design.mean(axis=0)
    lengths = np.sqrt((centred * centred).sum(axis=0))
    # What is constant is the intercept once more.
    varying = lengths > 1e-12 * np.sqrt(len(design))
    residual: Floats = target / scale
    residual -= residual.mean()
    if varying.any():
        basis, sizes, _ = np.linalg.svd(centred[:, varying] / lengths[varying], full_matrices=False)
        basis = basis[:, sizes > 1e-11 * sizes[0]]
        # Twice, so that what rounding has left of the projection goes too.
        for _ in range(2):
            residual = residual - basis @ (basis.T @ residual)
    residual -= residual.mean()
    residual *= scale
    return residual
