"""The commands `deriv-ops`, to look at a catalog, its results and its runs, and `derivtoymodel`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console

from deriv_ops.catalog import Catalog
from deriv_ops.config import CONFIG_FILE, Config, names_to_launch, read_config
from deriv_ops.errors import ConfigError, DerivOpsError, did_you_mean
from deriv_ops.lineage import made_of
from deriv_ops.locations import location
from deriv_ops.rules import formula, log_path, result_path
from deriv_ops.runs import latest_run, read_run
from deriv_ops.status import STATES, Status, statuses
from deriv_ops.variables import FileVar, Var


class _Told(click.Group):
    """Tells the errors that a person can mend without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DerivOpsError as error:
            raise click.ClickException(str(error)) from error


_WIDEST = 10_000
# Of the members of a Map so many are named.
_MEMBERS = 5


class _Project:
    """The configured catalog; loaded when a command asks for it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.catalog: Catalog = config.load_catalog()

    def statuses(self, wanted: Iterable[str] | None = None) -> dict[str, Status]:
        return statuses(self.catalog, self.config, latest_run(self.config.results_dir), wanted)

    def named(self, name: str) -> FileVar | Var:
        if name in self.catalog.variables:
            return self.catalog[name]
        if name in self.catalog.maps:
            members = [str(member.name) for member in self.catalog.maps[name]]
            raise ConfigError(f"{name}: a Map, of {_some(members)}; ask for one of them")
        known = did_you_mean(name, [*self.catalog.variables, *self.catalog.maps])
        raise ConfigError(f"{name}: not in the catalog {self.catalog.reference}{known}")

    def check(self, kind: str, name: str | None, known: Iterable[str]) -> None:
        names = sorted(set(known))
        if name is not None and name not in names:
            raise ConfigError(
                f"--{kind} {name}: none of the catalog {self.catalog.reference}"
                f"{did_you_mean(name, names)}"
            )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MEMBERS} more" if len(names) > _MEMBERS else ""
    return f"{', '.join(names[:_MEMBERS])}{more}"


def _changes(values: Iterable[str]) -> dict[str, Any]:
    import yaml

    changes = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not equals:
            raise ConfigError(f"--config {value}: write KEY=VALUE")
        changes[key] = yaml.safe_load(text)
    return changes


@click.group(cls=_Told, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--configfile", default=CONFIG_FILE, type=Path, show_default=True, help="The configuration."
)
@click.option("--config", multiple=True, metavar="KEY=VALUE", help="A value in place of its own.")
@click.pass_context
def main(context: click.Context, configfile: Path, config: tuple[str, ...]) -> None:
    """Look at a catalog, its results and its runs."""
    context.obj = lambda: read_config(configfile, _changes(config))


@main.command("ls")
@click.argument("pattern", default="*")
@click.option("--folder", help="Only of this folder.")
@click.option("--operator", help="Only of this operator.")
@click.option("--map", "map_name", help="Only members of this Map.")
@click.option("--state", type=click.Choice(STATES), help="Only in this state.")
@click.option("--missing", type=click.FloatRange(0, 1), help="Only with so large a missing share.")
@click.option("--out-of-date", is_flag=True, help="Only what a run would make.")
@click.option("-l", "--long", is_flag=True, help="With state, size and formula.")
@click.pass_context
def list_(
    context: click.Context,
    pattern: str,
    folder: str | None,
    operator: str | None,
    map_name: str | None,
    state: str | None,
    missing: float | None,
    out_of_date: bool,
    long: bool,
) -> None:
    """List derivations by name; PATTERN may have * and ?.

    What it prints can be a run's `vars_to_launch`.
    """
    project = _Project(context.obj())
    catalog = project.catalog
    operators = {str(v.name): v.operator.name if isinstance(v, Var) else "" for v in catalog}
    project.check("folder", folder, (variable.folder for variable in catalog))
    project.check("operator", operator, filter(None, operators.values()))
    project.check("map", map_name, catalog.maps)
    members = {str(member.name) for member in catalog.maps[map_name]} if map_name else set()
    chosen = [
        variable
        for variable in catalog
        if fnmatchcase(str(variable.name), pattern)
        and folder in (None, variable.folder)
        and operator in (None, operators[str(variable.name)])
        and (map_name is None or variable.name in members)
    ]
    found = {}
    if long or out_of_date or state or missing is not None:
        everything = made_of(chosen)
        found = project.statuses(str(variable.name) for variable in everything)
        chosen = [
            variable
            for variable in chosen
            for status in [found[str(variable.name)]]
            if not (out_of_date and status.up_to_date)
            and state in (None, status.state)
            and (missing is None or status.summary.get("missing", -1) >= missing)
        ]
    if not long:
        click.echo("".join(f"{variable.name}\n" for variable in chosen), nl=False)
        return
    click.secho(f"{'state':<12} {'rows':>6} {'columns':>7} {'missing':>7}  formula", bold=True)
    for variable in chosen:
        status = found[str(variable.name)]
        rows, columns, lacking = (status.summary.get(k, "") for k in ("rows", "columns", "missing"))
        share = "" if lacking == "" else f"{lacking:.1%}"
        click.echo(f"{status.state:<12} {rows:>6} {columns:>7} {share:>7}  {formula(variable)}")


@main.command()
@click.argument("name")
@click.pass_context
def show(context: click.Context, name: str) -> None:
    """Show what a derivation is, what it is made of and for what, and if it is up to date.

    Of a Map, what its members are and in which states.
    """
    from deriv_ops.lineage import children_of, parents_of

    project = _Project(context.obj())
    if name in project.catalog.maps and name not in project.catalog.variables:
        return _show_map(project, name)
    variable = project.named(name)
    # What it needs is looked at, and nothing else.
    status = project.statuses(str(other.name) for other in made_of([variable]))[name]
    say = Console(highlight=False, soft_wrap=True, markup=False).print
    say(formula(variable), style="bold")
    if isinstance(variable, Var):
        say((variable.operator.function.__doc__ or "").partition("\n")[0], style="dim")
    say(f"state      {status.state}")
    for reason in _reasons(status):
        say(f"           {reason}")
    if status.failure:
        from snakemake_logger_plugin_catalog.tracebacks import in_short

        for at, line in enumerate(in_short(status.failure)):
            say(f"{'' if at else 'failure':<10} {line}")
    say(f"catalog    {variable.place.file}:{variable.place.line}")
    say(f"file       {result_path(variable, project.config)}")
    say(f"log        {log_path(variable)}")
    if name in project.catalog.maps:
        say(f"map        also the name of a Map, of {len(project.catalog.maps[name])}")
    if status.summary:
        size = status.summary
        say(f"holds      {size['rows']} x {size['columns']}, {size['missing']:.1%} missing")
    for title, found in (
        ("made of", parents_of(variable)),
        ("used by", children_of(project.catalog)[name]),
    ):
        for at, other in enumerate(found):
            say(f"{'' if at else title:<10} {formula(other)}")


def _show_map(project: _Project, name: str) -> None:
    members = list(project.catalog.maps[name])
    found = project.statuses(str(other.name) for other in made_of(members))
    states = Counter(found[str(member.name)].state for member in members)
    counted = ", ".join(f"{states[state]} {state}" for state in STATES if states[state])
    click.echo(f"{name}: a Map, of {len(members)}: {counted}")
    for member in members[:_MEMBERS]:
        click.echo(formula(member))
    if len(members) > _MEMBERS:
        click.echo(f"and {len(members) - _MEMBERS} more: deriv-ops ls --map {name}")


@main.command()
@click.argument("name")
@click.option("--up", default=2, show_default=True, help="Steps to what it is made of.")
@click.option("--down", default=1, show_default=True, help="Steps to what is made of it.")
@click.option("--svg", type=Path, help="Write it to this file as a picture, too.")
@click.pass_context
def graph(context: click.Context, name: str, up: int, down: int, svg: Path | None) -> None:
    """Show the neighbours of a derivation as a tree."""
    from deriv_ops.lineage import neighbours

    project = _Project(context.obj())
    project.named(name)
    tree = neighbours(project.catalog, name, up, down)
    # Where there is no width to keep to, no line is broken.
    width = Console(width=_WIDEST).measure(tree).maximum
    console = Console()
    if not console.is_terminal:
        console.width = width
    console.print(tree)
    if svg:
        from deriv_ops.picture import picture
        from deriv_ops.store import whole

        with whole(svg) as unfinished:
            unfinished.write_text(picture(project.catalog, name, up, down))


@main.command()
@click.argument("names", nargs=-1)
@click.pass_context
def why(context: click.Context, names: tuple[str, ...]) -> None:
    """Say what a run would make, and why. With NAMES, a run that is told to make these.

    Without, it is what a run makes that is told nothing: `vars_to_launch`, or all.
    """
    project = _Project(context.obj())
    wanted = project.catalog.select(names or project.config.vars_to_launch)
    found = project.statuses(str(variable.name) for variable in wanted)
    made = [name for name, status in found.items() if not status.up_to_date]
    if not made:
        click.echo("Nothing would run: all is up to date.")
    for name in made:
        click.echo(f"{name}: {'; '.join(_reasons(found[name]))}")


@main.command()
@click.option(
    "-o", "--output", type=location, help="The page. Default: report.html in the results."
)
@click.option("--run", "record", type=Path, help="The record of a run. Default: the last one.")
@click.pass_context
def report(context: click.Context, output: Path | None, record: Path | None) -> None:
    """Write a page with the run, the results and the graph; of a run that goes on, too."""
    from deriv_ops.report import PAGE, write_report

    config = context.obj()
    run = read_run(record) if record else latest_run(config.results_dir)
    output = output or config.results_dir / PAGE
    write_report(output, config.load_catalog(), config, run)
    click.echo(output)


@main.command()
@click.argument("folder", type=location)
@click.option("--dates", default=780, show_default=True)
@click.option("--shares", default=100, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--tables", is_flag=True, help="Those of the larger catalogs, too.")
def sample(folder: Path, dates: int, shares: int, seed: int, tables: bool) -> None:
    """Write the tables of a sample market to FOLDER."""
    from deriv_ops.sample import write_market
    from deriv_ops.sample_tables import write_tables

    for write in (write_market, write_tables)[: 1 + tables]:
        for path in write(folder, dates=dates, shares=shares, seed=seed):
            click.echo(path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-l", "vars_to_launch", metavar="VARS", multiple=True,
              help="A name or several, as a,b or by more than one -l; or a file with one in each "
              "line. Default: all.")  # fmt: skip
@click.option("-f", "fs", metavar="FS", default="local", show_default=True,
              help="Where the results go: 'local' as configured, or a folder or URL.")  # fmt: skip
def toy_model(vars_to_launch: tuple[str, ...], fs: str) -> NoReturn:
    """Compute the toy model of the talk, on the warm workers of this machine.

    From any folder: files that are named here are looked for in it, and in the project's else.
    """
    try:
        names = [name for given in vars_to_launch for name in _names(given)]
        project = _project_folder()
    except DerivOpsError as error:
        raise click.ClickException(str(error)) from error
    config = ["catalog=deriv_ops.catalogs.toy", f"vars_to_launch={json.dumps(names)}"]
    if fs != "local":
        config.append(f"results_dir={fs if '://' in fs else Path(fs).absolute()}")
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/local"]
    sys.exit(subprocess.run([*command, "--config", *config], cwd=project).returncode)


def _names(given: str) -> tuple[str, ...]:
    text = given if Path(given).is_file() else given.replace(",", "\n")
    return names_to_launch(text)


def _project_folder() -> Path:
    """Return the folder with the Snakefile: this one, or the checkout that is installed."""
    for folder in (Path.cwd(), Path(__file__).parents[1]):
        if (folder / "Snakefile").is_file() and (folder / "profiles/local").is_dir():
            return folder
    raise ConfigError(f"{Path.cwd()}: has no Snakefile; go to the project's folder")


def _reasons(status: Status) -> list[str]:
    follows = ", ".join(status.follows)
    failed = ["it failed in the last run"] if status.failure else []
    return [*status.reasons, *failed, *([f"follows {follows}"] if follows else [])]
