"""What a person reads first of a failure."""

from __future__ import annotations

import re

LINES = 6
_LIBRARY = re.compile(r"site-packages|lib/python\d|<frozen")


def in_short(error: str) -> list[str]:
    """Return the message of a traceback and the place it comes from; of other texts the end.

    >>> error = (
    ...     'Traceback (most recent call last):\\n'
    ...     '  File "a.py", line 7, in mean\\n'
    ...     '    return 1 / 0\\n'
    ...     '           ~~^~~\\n'
    ...     '  File "/v/site-packages/pandas/x.py", line 8, in f\\n'
    ...     '    raise ZeroDivisionError\\n'
    ...     'ZeroDivisionError: division by zero\\n\\n'
    ...     'The above exception was the direct cause of the following exception:\\n\\n'
    ...     'Traceback (most recent call last):\\n'
    ...     '  File "b.py", line 1, in <module>\\n'
    ...     '    raise DerivationError from error\\n'
    ...     'DerivationError: means: division by zero'
    ... )
    >>> print("\\n".join(in_short(error)))
    DerivationError: means: division by zero
      File "a.py", line 7, in mean
        return 1 / 0

    """
    lines = [line for line in error.splitlines() if line.strip()]
    frames = [at for at, line in enumerate(lines) if line.startswith("  File ")]
    if not frames:
        return [*(["..."] if len(lines) > LINES else []), *lines[-LINES:]]
    message = frames[-1] + 1
    while message < len(lines) and lines[message].startswith("    "):
        message += 1
    # Python begins with the first cause, and ends each traceback with what raised it.
    end = next((at for at in range(frames[0], len(lines)) if lines[at][0] != " "), len(lines))
    first = [at for at in frames if at < end]
    # A line of one's own says more than that of the library which it calls.
    own = [at for at in first if not _LIBRARY.search(lines[at])]
    raised = (own or first)[-1]
    return lines[message:][:LINES] + lines[raised : min(raised + 2, end)]
