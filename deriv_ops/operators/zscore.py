"""How unusual a change is against its own history."""

from __future__ import annotations

from deriv_ops.kernels import like, values, windows
from deriv_ops.kernels.changes import DIFFERENCE, RELATIVE, changes
from deriv_ops.operators._types import Observations, Rows
from deriv_ops.operators.declare import Frame, operator


@operator(
    "time series",
    lookback=lambda period, window: None if window is None else period + window - 1,
    missing="kept",
    aliases={"h": "period", "minp": "min_periods", "inpct": "relative"},
    takes_infinite=True,
)
def zscore(
    x: Frame,
    /,
    period: Rows = 1,
    min_periods: Observations = 60,
    relative: bool = True,
    window: Rows | None = None,
) -> Frame:
    """Change over `period` rows, less its mean, over its sample standard deviation.

    Parameters
    ----------
    x: dates x shares; prices, as a rule.
    period: how many rows back the change is taken.
    min_periods: how many changes the window must hold (two at the least).
    relative: the change is ``x[t] / x[t - period] - 1``; else ``x[t] - x[t - period]``.
    window: the mean and the deviation are over this many rows, up to and with the row itself; all
        of the history when None.

    Returns
    -------
    dates x shares, in standard deviations.

    Missing values: missing where the change is, where the window holds too few changes, and where
    all changes in it are equal.

    How the talk was read: its `h` is the horizon of the change and `inpct` whether that is
    relative; the history is open-ended because the talk gives no window.

    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [1.0, 2, 4, 5, 9]}, pd.date_range("2020-01-01", periods=5))
    >>> zscore(x, relative=False, min_periods=3)["A"].round(4).tolist()
    [nan, nan, nan, -0.5774, 1.4142]

    """
    change = changes(values(x), period, RELATIVE if relative else DIFFERENCE)
    return like(x, windows.moments(change, window or 0, max(min_periods, 2), windows.ZSCORE))
