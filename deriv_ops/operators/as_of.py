"""The latest figure that was known on each date."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pandas as pd
from annotated_types import Ge
from numpy.typing import NDArray

from deriv_ops.kernels import like, values
from deriv_ops.kernels.latest import latest
from deriv_ops.operators.declare import Frame, Irregular, operator


@operator("time series", lookback=None, missing="filled")
def as_of(
    x: Frame,
    table: Irregular,
    /,
    delay: Annotated[int, Ge(0)] = 0,
    max_age: Annotated[int, Ge(1)] | None = None,
) -> Frame:
    """On each date the share's latest observation in a table with dates of its own.

    Parameters
    ----------
    x: dates x shares; only its dates and shares matter.
    table: dates x shares, on any dates: monthly figures, reports when they come out.
    delay: how many calendar days after its date an observation is known.
    max_age: how many calendar days old an observation may be, from its own date on; any when None.

    Returns
    -------
    dates x shares, those of x, in the unit of table.

    Missing values: those of the table are passed over for the observation before; those of x don't
    matter. Missing before the first observation, where the latest is older than `max_age`, and for
    a share that isn't in the table.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": 0.0}, pd.date_range("2020-01-30", periods=4))
    >>> table = pd.DataFrame({"A": [5.0, 6.0]}, pd.to_datetime(["2019-12-31", "2020-01-31"]))
    >>> as_of(x, table, delay=1)["A"].tolist()
    [5.0, 5.0, 6.0, 6.0]
    >>> as_of(x, table, max_age=30)["A"].tolist()
    [5.0, 6.0, 6.0, 6.0]

    """
    oldest = np.inf if max_age is None else float(max_age)
    figures = values(table.reindex(columns=x.columns))
    return like(x, latest(figures, _days(table), _days(x), delay, oldest))


def _days(frame: pd.DataFrame) -> NDArray[np.int64]:
    dates = pd.DatetimeIndex(frame.index).tz_localize(None)
    return dates.to_numpy("datetime64[D]").astype(np.int64)
