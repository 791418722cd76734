"""Write operators.md, the reference of the operators, from what they declare: `make docs`."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deriv_ops import op
from deriv_ops.operators.declare import Operator

PAGE = Path(__file__).with_name("operators.md")
HEAD = """\
# Operators

Written by `make docs` from the operators themselves. What stands before the `/` are inputs: a
*frame* is numbers, dates x shares; *groups* are labels, dates x shares or a static table of one row
a share; an *irregular* frame stays on dates of its own. The rest are parameters. For all of them:

- An infinite value counts as missing, and no result is infinite.
- The first input's dates and shares rule; further frames are aligned to them.
- A further frame of one column that is none of the shares, such as the return of the market, stands
  for all shares.
- A row never depends on later rows, unless the operator says so.

*Look-back* is how many earlier rows a row depends on. Missing values are *kept* (the result is
missing there too, for the same share on the same date), *left out* of what is computed from several
(there may be a result all the same) or *filled*. What is computed from several never counts them.
"""
TITLES = (
    "Along time, each share by itself",
    "Across shares, each date by itself",
    "Across the shares of a group, each date by itself",
    "Both at once",
)
# Python's names of the types of JSON Schema, and its signs for the bounds.
TYPES = {"integer": "int", "number": "float", "boolean": "bool", "string": "str", "null": "None"}
TYPES |= {"array": "list", "object": "dict"}
BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


def page() -> str:
    """Return the text of the page."""
    operators: list[Operator] = [getattr(op, name) for name in dir(op)]
    parts = [HEAD]
    for title in TITLES:
        chosen = [operator for operator in operators if _title(operator) == title]
        links = ", ".join(f"[{operator.name}](#{operator.name})" for operator in chosen)
        parts += [f"## {title}\n", f"{links}\n", *map(_section, chosen)]
    return "\n".join(parts)


def _title(operator: Operator) -> str:
    along, across, within, both = TITLES
    if operator.kind == "cross section":
        return within if any(one.kind == "groups" for one in operator.inputs) else across
    return along if operator.kind == "time series" else both


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
    body = "\n".join(_markdown(inspect.getdoc(operator.function) or "", _takes(operator)))
    return f"### {operator.name}\n\n```python\n{call}\n```\n\n*{'; '.join(declared)}*\n\n{body}\n"


def _lookback(operator: Operator) -> str:
    if operator.kind == "cross section":
        return "none"
    if operator.rows_back is None:
        return "all history"
    if not callable(operator.rows_back):
        return f"{operator.rows_back} rows" if operator.rows_back else "none"
    source = textwrap.dedent(inspect.getsource(operator.function))
    keywords = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.keyword))
    (declared,) = (keyword.value for keyword in keywords if keyword.arg == "lookback")
    assert isinstance(declared, ast.Lambda)
    return f"`{ast.unparse(declared.body)}` rows"


def _takes(operator: Operator) -> dict[str, str]:
    """Say of each input and each parameter what it takes."""
    takes = {name: _type(schema) for name, schema in operator.schemas.items()}
    for position, given in enumerate(operator.inputs, 1):
        takes[given.name] = f"*{given.kind}*" if given.required else f"*{given.kind}* or none"
        if operator.variadic and position == len(operator.inputs):
            takes[given.name] = f"*{given.kind}* each"
    return takes


def _type(schema: dict[str, Any]) -> str:
    """Say in Python's words what a JSON Schema takes.

    >>> _type({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]})
    '`int >= 1` or `None`'
    >>> _type({"type": "number", "minimum": 0, "maximum": 1})
    '`float >= 0 and <= 1`'
    >>> _type({"type": "string", "enum": ["last", "first"]})
    '`"last"` or `"first"`'
    >>> _type({"type": "string", "format": "date"})
    'date'
    """
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if choices := schema.get("enum", [schema["const"]] if "const" in schema else []):
        *others, last = (f"`{json.dumps(choice)}`" for choice in choices)
        return f"{', '.join(others)} or {last}" if others else last
    if schema.get("format") == "date":
        return "date"
    bounds = " and ".join(f"{sign} {schema[key]}" for key, sign in BOUNDS.items() if key in schema)
    return f"`{TYPES.get(schema.get('type'), 'anything')} {bounds}".strip() + "`"


def _markdown(doc: str, takes: dict[str, str]) -> Iterator[str]:
    """Yield a docstring's lines, with its sections as lists and its example as code.

    What each parameter takes is put after its name.
    """
    lines = doc.splitlines()
    example = next((i for i, line in enumerate(lines) if line.startswith(">>>")), len(lines))
    for i, line in enumerate(lines[:example]):
        following = lines[i + 1] if i + 1 < len(lines) else ""
        if set(following) == {"-"}:
            yield f"**{line}**\n"
        elif set(line) != {"-"}:
            yield _parameter(line, takes) if _is_parameter(lines, i) else line
    if example < len(lines):
        yield "\n".join(["```python", *lines[example:], "```"]).replace("\n\n```", "\n```")


def _parameter(line: str, takes: dict[str, str]) -> str:
    """Return a line of the parameters with what they take, once where several take the same."""
    names, colon, text = line.partition(": ")
    listed = names.split(", ")
    if not colon or not takes.keys() >= set(listed):
        return line
    same = len({takes[name] for name in listed}) == 1
    parts = [f"`{name}`" if same else f"`{name}` ({takes[name]})" for name in listed]
    return f"- {', '.join(parts)}{f' ({takes[listed[0]]})' if same else ''}: {text}"


def _is_parameter(lines: list[str], at: int) -> bool:
    heads = [i for i in range(at) if set(lines[i]) == {"-"}]
    return bool(heads) and lines[heads[-1] - 1] == "Parameters" and "" not in lines[heads[-1] : at]


if __name__ == "__main__":
    PAGE.write_text(page())
