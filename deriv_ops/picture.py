"""The neighbours of a derivation in the graph, as a picture: boxes, and arrows between them.

In layers from left to right, each of what the layers before it are enough for; an arrow over
several layers takes a place in each, so that it doesn't pass behind boxes.
"""

from __future__ import annotations

from collections import defaultdict
from html import escape
from itertools import pairwise

from deriv_ops.catalog import Catalog
from deriv_ops.lineage import children_of, parents_of, within
from deriv_ops.rules import formula
from deriv_ops.variables import FileVar, Var

# In pixels, for letters of this size.
FONT = 13
LETTER = 7.4
HEIGHT = 28
# Between boxes of a layer, and between layers.
GAP = 12
SPACE = 70
# How often the layers are put in the order of their neighbours.
SWEEPS = 8

_STYLE = f"""
text {{ font: {FONT}px ui-monospace, monospace; fill: #1b2430; }}
rect {{ fill: #eef2f8; stroke: #9aa7b8; }}
.asked rect {{ fill: #cfe0ff; stroke: #2563eb; stroke-width: 2; }}
.input rect {{ fill: #e9f5ec; }}
path {{ fill: none; stroke: #7c8898; stroke-width: 1.2; }}
"""

# A place in a layer: a derivation's name, or that of an arrow which passes.
_Place = str | tuple[str, str, int]


def picture(catalog: Catalog, name: str, up: int, down: int) -> str:
    """Return a variable with its ancestors and descendants to so many steps, as SVG."""
    names = _names(catalog, name, up, down)
    parents = {
        each: [parent for parent in _names_of(catalog, each) if parent in names] for each in names
    }
    layers, chains = _layers(parents)
    _order(layers, chains)
    widths = [
        max(len(place) * LETTER + 20 if isinstance(place, str) else 0.0 for place in layer)
        for layer in layers
    ]
    lefts = [20 + sum(widths[:at]) + SPACE * at for at in range(len(layers))]
    tall = max(map(len, layers)) * (HEIGHT + GAP)
    middle: dict[_Place, tuple[float, float, float]] = {}
    for left, width, layer in zip(lefts, widths, layers, strict=True):
        top = 20 + (tall - len(layer) * (HEIGHT + GAP)) / 2
        for at, place in enumerate(layer):
            middle[place] = (left, width, top + at * (HEIGHT + GAP) + HEIGHT / 2)
    arrows = "".join(f'<path d="{_curve([middle[place] for place in chain])}" '
                     'marker-end="url(#end)"/>' for chain in chains)  # fmt: skip
    boxes = "".join(
        _box(catalog[each], *middle[each], "asked" if each == name else "") for each in names
    )
    width, height = lefts[-1] + widths[-1] + 20, tall + 40 - GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}"><title>{escape(name)}</title>'
        f"<style>{_STYLE}</style>"
        '<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0,0L8,4L0,8z" style="fill: #7c8898"/></marker>'
        f'</defs><rect width="100%" height="100%" style="fill: #fff; stroke: none"/>'
        f"{arrows}{boxes}</svg>\n"
    )


def _names(catalog: Catalog, name: str, up: int, down: int) -> list[str]:
    """Return the names of what is shown, in the order of the catalog."""
    children = children_of(catalog)
    found = within([catalog[name]], parents_of, up)
    found |= within([catalog[name]], lambda variable: children[str(variable.name)], down)
    return [str(variable.name) for variable in catalog if variable in found]


def _names_of(catalog: Catalog, name: str) -> list[str]:
    """Return the names of the parents, each once."""
    return list(dict.fromkeys(str(parent.name) for parent in parents_of(catalog[name])))


def _layers(parents: dict[str, list[str]]) -> tuple[list[list[_Place]], list[list[_Place]]]:
    """Return the layers, and of each arrow its places from layer to layer."""
    depth: dict[str, int] = {}
    for name, names in parents.items():
        depth[name] = max((depth[parent] + 1 for parent in names), default=0)
    layers: list[list[_Place]] = [[] for _ in range(max(depth.values()) + 1)]
    for name, at in depth.items():
        layers[at].append(name)
    chains = []
    for name, names in parents.items():
        for parent in names:
            between: list[_Place] = [
                (parent, name, at) for at in range(depth[parent] + 1, depth[name])
            ]
            for at, place in enumerate(between, depth[parent] + 1):
                layers[at].append(place)
            chains.append([parent, *between, name])
    return layers, chains


def _order(layers: list[list[_Place]], chains: list[list[_Place]]) -> None:
    """Sort each layer by the mean place of its neighbours, to and fro, so that fewer cross."""
    before: dict[_Place, list[_Place]] = defaultdict(list)
    after: dict[_Place, list[_Place]] = defaultdict(list)
    for chain in chains:
        for one, next_ in pairwise(chain):
            after[one].append(next_)
            before[next_].append(one)
    for sweep in range(SWEEPS):
        neighbours, order = (after, reversed(layers)) if sweep % 2 else (before, iter(layers))
        at: dict[_Place, float] = {}
        for layer in order:
            size = len(layer)
            mean = {
                place: sum(at[n] for n in neighbours[place]) / len(neighbours[place])
                if neighbours[place] else index / size
                for index, place in enumerate(layer)
            }  # fmt: skip
            layer.sort(key=lambda place, mean=mean: mean[place])  # type: ignore[misc]
            at |= {place: (index + 0.5) / size for index, place in enumerate(layer)}


def _curve(middles: list[tuple[float, float, float]]) -> str:
    """Return the path of an arrow from the right of the first place to the left of the last."""
    left, width, y = middles[0]
    # From where the box ends: those of a layer are as wide as the widest.
    drawn = f"M{left + width:.1f},{y:.1f}"
    x = left + width
    for at, (left, width, y_next) in enumerate(middles[1:], 1):
        bend = (left - x) / 2
        drawn += f"C{x + bend:.1f},{y:.1f} {left - bend:.1f},{y_next:.1f} {left:.1f},{y_next:.1f}"
        x, y = left, y_next
        if at < len(middles) - 1:
            x = left + width
            drawn += f"H{x:.1f}"
    return drawn


def _box(variable: FileVar | Var, left: float, width: float, y: float, kind: str) -> str:
    kind = kind or ("input" if isinstance(variable, FileVar) else "")
    return (
        f'<g class="{kind}"><title>{escape(formula(variable))}</title>'
        f'<rect x="{left:.1f}" y="{y - HEIGHT / 2:.1f}" width="{width:.1f}" height="{HEIGHT}" '
        f'rx="5"/><text x="{left + 10:.1f}" y="{y + FONT / 3:.1f}">{escape(str(variable.name))}'
        "</text></g>"
    )
