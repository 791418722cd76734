"""What the tests share: catalogs written on the spot, and runs of the real Snakemake."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from deriv_ops import Catalog, load_catalog

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parent.parent
PLUGIN = ROOT / "snakemake-executor-plugin-dask"
sys.path.append(str(PLUGIN / "tests"))

from zygote import Zygote  # noqa: E402

# What makes a checkout, as far as runs need it.
CHECKOUT = ("Snakefile", "workflow", "config", "profiles", "envs", "deriv_ops")
CHECKOUT += ("snakemake_logger_plugin_catalog",)


def copy_checkout(folder: Path) -> Path:
    """Copy the project, without set-up and results, to a new folder."""
    folder.mkdir(parents=True)
    # Compiled kernels are of use there too. Modules are compiled by tests that run beside this one.
    compiled = shutil.ignore_patterns("*.pyc*", "*.tmp*")
    for name in CHECKOUT:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=compiled)
        else:
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(autouse=True)
def clean_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A catalog given as a file adds its folder to the import path: not beyond the test."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if "pytest-" in file:
            del sys.modules[name]


@pytest.fixture
def catalog_of(tmp_path: Path) -> Callable[..., Catalog]:
    """Write the text of a catalog to a file and load it."""

    def load(text: str, **keywords) -> Catalog:
        head = "from deriv_ops import AbstractDerivation, FileVar, Map, Var, op, operator\n"
        file = tmp_path / "catalog.py"
        file.write_text(head + dedent(text))
        return load_catalog(file, **keywords)

    return load


@functools.cache
def zygote() -> Zygote:
    """What runs are forked from, with what they import of others. It ends when we do."""
    snakemake = ("distributed", "docutils.parsers.rst", "jsonschema", "smart_open", "sqlmodel")
    return Zygote(*snakemake, "numba", "pyarrow.dataset", "pydantic", "rich.live", "scipy.cluster")


def python(
    module: str, *arguments: str, cwd: Path, timeout: int = 300, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `python -m MODULE` in a folder and return what it printed."""
    with tempfile.NamedTemporaryFile("r") as printed:
        out = Path(printed.name)
        process = zygote().start(
            *(module, *arguments),
            cwd=cwd,
            env={**os.environ, **environment},
            stdout=out,
            stderr=out,
        )
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise AssertionError(printed.read()) from None
        return subprocess.CompletedProcess([module, *arguments], code, printed.read())


def snakemake(*arguments: str, cwd: Path, check: bool = True, timeout: int = 300, **environment):
    """Run the real Snakemake in a folder; fail the test with what it printed if it fails."""
    # The plugin of this checkout, not that of another one which may be installed.
    path = os.pathsep.join(filter(None, [environment.pop("PYTHONPATH", None), str(PLUGIN)]))
    run = python("snakemake", *arguments, cwd=cwd, timeout=timeout, PYTHONPATH=path, **environment)
    if check:
        assert run.returncode == 0, run.stdout
    return run


@pytest.fixture
def run_python() -> Callable[..., str]:
    """Run a piece of Python in a process of its own and return what it printed."""

    def run(code: str, returncode: int = 0, **environment: str) -> str:
        run = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert run.returncode == returncode, run.stderr
        return run.stdout

    return run


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the toy model has been computed once."""
    folder = copy_checkout(tmp_path_factory.mktemp("finished") / "project")
    edit(folder / "config/config.yaml", "dates: 780", "dates: 300")
    edit(folder / "config/config.yaml", "shares: 100", "shares: 12")
    edit(folder / "deriv_ops/catalogs/toy.py", "'min_periods': 260", "'min_periods': 20")
    edit(
        folder / "deriv_ops/catalogs/toy.py",
        "Var(op.wait_for_dask, fin_pricez1d, {})",
        "Var(op.wait_for_dask, fin_pricez1d, {'seconds': 0})",
    )
    run(folder, "--profile", "profiles/local")
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    """The same, for one test to change."""
    return Path(shutil.copytree(finished, tmp_path / "project"))


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file}"
    file.write_text(text.replace(old, new))


def run(folder: Path, *arguments: str, **keywords):
    # The project's own code, not that of the checkout which is installed.
    return snakemake(*arguments, cwd=folder, PYTHONPATH=str(folder), **keywords)


def run_cli(folder: Path, *arguments: str, code: int = 0) -> str:
    """Run `deriv-ops` in a folder and return what it printed."""
    path = os.pathsep.join([str(folder), str(PLUGIN)])
    run = python("deriv_ops", *arguments, cwd=folder, timeout=120, PYTHONPATH=path)
    assert run.returncode == code, run.stdout
    return run.stdout


# The page of a run in a real browser

# Catalogs with the dates and shares that pages in a browser are computed for.
SIZES = {"toy": (300, 12), "medium": (80, 6), "full": (60, 5)}


@dataclass
class Report:
    """A page, and what it is of."""

    path: Path
    catalog: Catalog


@pytest.fixture(scope="session", params=SIZES)
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = copy_checkout(tmp_path_factory.mktemp(request.param) / "project")
    dates, shares = SIZES[request.param]
    catalog = f"deriv_ops.catalogs.{request.param}"
    size = [f"sample_dates={dates}", f"sample_shares={shares}"]
    config = [f"catalog={catalog}", *size]
    run(folder, "--profile", "profiles/local", "--quiet", "all", "--config", *config, timeout=900)
    given = [word for value in config for word in ("--config", value)]
    return Report(folder / run_cli(folder, *given, "report").strip(), load_catalog(catalog))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    # Not all tests have it installed.
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    assert chromium, "there is no chromium; on Debian: apt install chromium"
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Browser, report: Report) -> Iterator[Callable[..., Page]]:
    """Open the report, with a script to run before its own; fail if it complains of anything.

    Another page can be given, made of the report's data.
    """
    contexts, complaints = [], []

    def open_(width: int = 1280, before: str = "", other: Path | None = None, **options) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, offline=True, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(before)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        allowed.add((other or report.path).as_uri())
        page.goto((other or report.path).as_uri())
        page.wait_for_function("document.body.dataset.ready", timeout=30_000)
        return page

    requests: list[str] = []
    allowed = set[str]()
    yield open_
    for context in contexts:
        context.close()
    assert not complaints
    assert {url for url in requests if not url.startswith("data:")} == allowed


def slower() -> float:
    """How much slower the machine is than a free one, because of others who work on it."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
