"""The neighbours of a derivation in the graph, as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from deriv_ops.catalog import Catalog
from deriv_ops.rules import formula
from deriv_ops.variables import FileVar, Var

if TYPE_CHECKING:
    from rich.tree import Tree

Variable = FileVar | Var
# Of one list of neighbours no more are shown.
MOST = 30


def children_of(catalog: Catalog) -> dict[str, list[Variable]]:
    """Return what is made of each variable, by its name."""
    children: dict[str, list[Variable]] = {str(variable.name): [] for variable in catalog}
    for variable in catalog:
        for parent in dict.fromkeys(parents_of(variable)):
            children[str(parent.name)].append(variable)
    return children


def parents_of(variable: Variable) -> list[Variable]:
    """Return what a variable is made of."""
    return list(variable.parents) if isinstance(variable, Var) else []


def made_of(variables: Iterable[Variable]) -> set[Variable]:
    """Return variables with all that they are made of."""
    return within(variables, parents_of)


def neighbours(catalog: Catalog, name: str, up: int, down: int) -> Tree:
    """Return a variable with its ancestors and descendants to so many steps, as a tree."""
    from rich.tree import Tree

    variable = catalog[name]
    children = children_of(catalog)
    tree = Tree(f"[bold]{formula(variable)}", highlight=True)
    if above := parents_of(variable):
        _grow(tree.add("[cyan]made of"), above, parents_of, up)
    if below := children[name]:
        _grow(tree.add("[yellow]used by"), below, lambda child: children[str(child.name)], down)
    return tree


def _grow(
    tree: Tree, found: list[Variable], following: Callable[[Variable], list[Variable]], steps: int
) -> None:
    if not steps:
        tree.add(f"[dim]{_counted(len(within(found, following)))}")
        return
    for variable in found[:MOST]:
        branch = tree.add(formula(variable))
        if more := following(variable):
            _grow(branch, more, following, steps - 1)
    if len(found) > MOST:
        tree.add(f"[dim]{_counted(len(found) - MOST)}")


def within(
    variables: Iterable[Variable],
    following: Callable[[Variable], list[Variable]],
    steps: int | None = None,
) -> set[Variable]:
    """Return variables with all that is reached from them in so many steps, or in any number."""
    front = found = set(variables)
    while front and (steps is None or steps > 0):
        front = {other for variable in front for other in following(variable)} - found
        found = found | front
        steps = None if steps is None else steps - 1
    return found


def _counted(count: int) -> str:
    return "1 more" if count == 1 else f"{count} more"
