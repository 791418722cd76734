"""What exposures do not explain."""

from __future__ import annotations

import numpy as np

from deriv_ops.kernels import finite, like, regression, values
from deriv_ops.operators.declare import Frame, operator


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
    design = np.empty((len(exposures), *x.shape))
    for at, exposure in enumerate(exposures):
        design[at] = values(exposure)
    return like(x, finite(regression.residuals(values(x), design)))
