"""Technical indicators made of exponentially weighted means (see `ewm` for these)."""

from __future__ import annotations

import numpy as np
from numba import types

from deriv_ops.kernels import FRAME, Floats, kernel, part

LINE, SIGNAL, HISTOGRAM = range(3)


@kernel(FRAME, types.int64)
def strength(x: Floats, period: int) -> Floats:
    """Return the part that gains have in the weighted means of gains and losses, times 100."""
    rows, columns = x.shape
    out = np.empty((rows, columns))
    out[:1] = np.nan
    count, gains, losses = np.zeros(columns), np.zeros(columns), np.zeros(columns)
    for row in range(1, rows):
        _strength_row(x[row], x[row - 1], period, count, gains, losses, out[row])
    return out


@part
def _strength_row(
    now: Floats,
    before: Floats,
    period: int,
    count: Floats,
    gains: Floats,
    losses: Floats,
    out: Floats,
) -> None:
    # Both means are over the same weights, whose sum cancels: sums do. The first factor only
    # keeps them from overflowing.
    alpha = 1.0 / period
    decay = 1.0 - alpha
    for c in range(len(now)):
        change = now[c] - before[c]
        seen = abs(change) < np.inf
        gain = gains[c] * decay + (alpha * change if seen and change > 0.0 else 0.0)
        loss = losses[c] * decay - (alpha * change if seen and change < 0.0 else 0.0)
        n, both = count[c] + (1.0 if seen else 0.0), gain + loss
        count[c], gains[c], losses[c] = n, gain, loss
        out[c] = 100.0 * (gain / both) if (seen and n >= period and both > 0.0) else np.nan


@kernel(FRAME, types.int64, types.int64, types.int64, types.int64)
def macd(x: Floats, fast: int, slow: int, signal: int, what: int) -> Floats:
    """Return the fast mean less the slow one, the mean of that, or the one less the other."""
    rows, columns = x.shape
    out = np.empty((rows, columns))
    # Of x for both spans, and of the line: how many values, their mean and its weight.
    count, mean, weight = np.zeros((3, columns)), np.zeros((3, columns)), np.zeros((3, columns))
    quick, slack, line = np.empty(columns), np.empty(columns), np.empty(columns)
    smooth = np.empty(columns)
    for row in range(rows):
        _mean_row(x[row], 2.0 / (fast + 1.0), slow, count[0], mean[0], weight[0], quick)
        _mean_row(x[row], 2.0 / (slow + 1.0), slow, count[1], mean[1], weight[1], slack)
        if what == LINE:
            _less(quick, slack, out[row])
            continue
        _less(quick, slack, line)
        if what == SIGNAL:
            smooth = out[row]
        _mean_row(line, 2.0 / (signal + 1.0), signal, count[2], mean[2], weight[2], smooth)
        if what == HISTOGRAM:
            _less(line, smooth, out[row])
    return out


@part
def _less(x: Floats, y: Floats, out: Floats) -> None:
    for c in range(len(out)):
        difference = x[c] - y[c]
        out[c] = difference if abs(difference) < np.inf else np.nan


@part
def _mean_row(
    values: Floats,
    alpha: float,
    needed: int,
    count: Floats,
    average: Floats,
    weight: Floats,
    out: Floats,
) -> None:
    """Go on by a row as `ewm` does; missing where the row is."""
    for c in range(len(values)):
        value, old, before = values[c], average[c], weight[c] * (1.0 - alpha)
        seen = value == value
        one = 1.0 if seen else 0.0
        moved = (before * old + value) / (before + 1.0) if (seen and value != old) else old
        n = count[c] + one
        count[c], average[c], weight[c] = n, moved, before + one
        out[c] = moved if (seen and n >= needed and abs(moved) < np.inf) else np.nan


@kernel(FRAME, FRAME, FRAME, types.int64)
def true_range(high: Floats, low: Floats, close: Floats, period: int) -> Floats:
    """Return the mean of the true ranges so far, with alpha = 1 / period."""
    rows, columns = high.shape
    out = np.empty((rows, columns))
    count, average, weight = np.zeros(columns), np.zeros(columns), np.zeros(columns)
    ranges, none = np.empty(columns), np.full(columns, np.nan)
    for row in range(rows):
        if row:
            _range_row(high[row], low[row], close[row - 1], ranges)
        else:
            _range_row(high[row], low[row], none, ranges)
        _mean_row(ranges, 1.0 / period, period, count, average, weight, out[row])
    return out


@part
def _range_row(high: Floats, low: Floats, close: Floats, out: Floats) -> None:
    for c in range(len(out)):
        # Comparisons with a close that is missing are false.
        widest = high[c] - low[c]
        above, below = abs(high[c] - close[c]), abs(low[c] - close[c])
        new = above if above > widest else widest
        new = below if below > new else new
        out[c] = new if (abs(new) < np.inf and widest == widest) else np.nan
