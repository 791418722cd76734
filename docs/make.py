"""Write operators.md, the reference of the operators, from what they declare: `make docs`."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from deriv_ops import op
from deriv_ops.operators.declare import Operator

PAGE = Path(__file__).with_name("operators.md")
HEAD = """\
# Operators

Written by `make docs` from the operators themselves. Frames are dates x shares. For all of them:

- An infinite value counts as missing, and no result is infinite.
- The first input's dates and shares rule; further frames are aligned to them.
- A further frame of one column that is none of the shares, such as the return of the market, stands
  for all shares.
- A row never depends on later rows, unless the operator says so.

*Look-back* is how many earlier rows a row depends on. Missing values are *kept* (the result is
missing there too), *left out* (of what is computed from several) or *filled*.
"""
KINDS = {
    "time series": "Along time, each share by itself",
    "cross section": "Across shares, each date by itself",
    "panel": "Both at once",
}


def page() -> str:
    """Return the text of the page."""
    operators: list[Operator] = [getattr(op, name) for name in dir(op)]
    parts = [HEAD]
    for kind, title in KINDS.items():
        chosen = [operator for operator in operators if operator.kind == kind]
        links = ", ".join(f"[{operator.name}](#{operator.name})" for operator in chosen)
        parts += [f"## {title}\n", f"{links}\n", *map(_section, chosen)]
    return "\n".join(parts)


def _section(operator: Operator) -> str:
    parameters = inspect.signature(operator.function).parameters.values()
    shown = [p.replace(annotation=p.empty) for p in parameters]
    call = f"{operator.name}{inspect.Signature(shown)}"
    declared = [f"look-back: {_lookback(operator)}", f"missing values: {operator.missing}"]
    if operator.looks_ahead:
        declared.append("looks ahead")
    if operator.aliases:
        spelled = ", ".join(f"`{alias}` for `{name}`" for alias, name in operator.aliases.items())
        declared.append(f"also spelled {spelled}")
    body = "\n".join(_markdown(inspect.getdoc(operator.function) or ""))
    return f"### {operator.name}\n\n```python\n{call}\n```\n\n*{'; '.join(declared)}*\n\n{body}\n"


def _lookback(operator: Operator) -> str:
    if operator.kind == "cross section":
        return "none"
    if operator.rows_back is None:
        return "all history"
    if not callable(operator.rows_back):
        return f"{operator.rows_back} rows" if operator.rows_back else "none"
    source = textwrap.dedent(inspect.getsource(operator.function))
    (found,) = (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Lambda))
    return f"`{ast.unparse(found.body)}` rows"


def _markdown(doc: str) -> Iterator[str]:
    """Yield a docstring's lines, with its sections as lists and its example as code."""
    lines = doc.splitlines()
    example = next((i for i, line in enumerate(lines) if line.startswith(">>>")), len(lines))
    for i, line in enumerate(lines[:example]):
        following = lines[i + 1] if i + 1 < len(lines) else ""
        if set(following) == {"-"}:
            yield f"**{line}**\n"
        elif set(line) != {"-"}:
            yield re.sub(r"^(\w[\w, ]*): ", r"- `\1`: ", line) if _is_parameter(lines, i) else line
    if example < len(lines):
        yield "\n".join(["```python", *lines[example:], "```"]).replace("\n\n```", "\n```")


def _is_parameter(lines: list[str], at: int) -> bool:
    heads = [i for i in range(at) if set(lines[i]) == {"-"}]
    return bool(heads) and lines[heads[-1] - 1] == "Parameters" and "" not in lines[heads[-1] : at]


if __name__ == "__main__":
    PAGE.write_text(page())
