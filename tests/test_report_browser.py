"""The report in a real browser, from disk and without a network: run with -m browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import copy_checkout, run, run_cli
from playwright.sync_api import Browser, Page, sync_playwright

from deriv_ops import Catalog, Var, load_catalog

pytestmark = pytest.mark.browser

FIRST_PAINT_MS = 2000
CLICK_MS = 200
MOST_BYTES = 5_000_000
# Catalogs with the dates and shares they are computed for.
SIZES = {"toy": (300, 12), "medium": (80, 6), "full": (60, 5)}
NAME = "fin_pricedevz1d_byvol"


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
    chromium = shutil.which("chromium")
    assert chromium, "there is no chromium; on Debian: apt install chromium"
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Browser, report: Report) -> Iterator[Callable[..., Page]]:
    """Open the report; fail the test if the page has anything to complain of."""
    contexts, complaints = [], []

    def open_(width: int = 1280, **options: Any) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, offline=True, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(report.path.as_uri())
        page.wait_for_function("document.body.dataset.ready", timeout=30_000)
        return page

    requests: list[str] = []
    yield open_
    for context in contexts:
        context.close()
    assert not complaints
    assert {url for url in requests if not url.startswith("data:")} == {report.path.as_uri()}


def related(catalog: Catalog, name: str, up: bool) -> set[str]:
    """All ancestors of a derivation, or all descendants."""
    parents = {v.name: [p.name for p in v.parents] if isinstance(v, Var) else [] for v in catalog}
    found: set[Any] = set()
    waiting = [name]
    while waiting:
        at = waiting.pop()
        following = parents[at] if up else [c for c, names in parents.items() if at in names]
        waiting += [n for n in following if n not in found]
        found |= set(following)
    return found


def chosen(report: Report) -> str:
    """A derivation in the middle of the graph."""
    if NAME in report.catalog.variables:
        return "fin_rdt_1d_std"
    return "simple__period_20"


def search(page: Page, name: str) -> None:
    page.fill("#search", name)
    page.press("#search", "Enter")


def boxes(page: Page, kind: str) -> set[str]:
    """The names of the derivations behind the boxes of a kind."""
    found: list[str] = page.evaluate(
        """kind => report.graph.cy.nodes(kind).toArray()
            .flatMap(box => box.data("members")).map(n => report.model.nodes.name[n])""",
        kind,
    )
    return set(found)


def test_it_opens_fast_and_is_small(opened, report: Report):
    page = opened()
    paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    assert page.evaluate(paint) < FIRST_PAINT_MS
    assert float(page.evaluate("document.body.dataset.ready")) < FIRST_PAINT_MS
    assert report.path.stat().st_size < MOST_BYTES
    tiles = page.locator(".tile").all_inner_texts()
    assert tiles[0].split() == [f"{len(report.catalog):,}", "derivations"]
    assert page.locator("#failures").inner_text() == "None."


def test_a_click_opens_a_group_and_one_on_its_frame_closes_it(opened, report: Report):
    page = opened()
    page.click("#collapse")
    before = page.evaluate("report.graph.cy.nodes().length")
    group = page.evaluate("report.graph.cy.nodes('.closed')[0].id()")
    at = "id => report.graph.cy.getElementById(id).renderedPosition()"
    head = """id => { const box = report.graph.cy.getElementById(id);
        const { x, y } = box.renderedPosition();
        return { x, y: y - (box.height() / 2 - 10) * report.graph.cy.zoom() }; }"""
    page.locator("#graph").click(position=page.evaluate(at, group))
    page.wait_for_function("n => report.graph.cy.nodes().length > n", arg=before)
    assert "opened" in page.evaluate("id => report.graph.cy.getElementById(id).classes()", group)
    page.click("#fit")
    page.locator("#graph").click(position=page.evaluate(head, group))
    page.wait_for_function("n => report.graph.cy.nodes().length === n", arg=before)


def test_every_group_opens_in_a_moment(opened, report: Report):
    page = opened()
    took = page.evaluate(
        """async limit => {
            const took = [];
            const graph = report.graph;
            const drawn = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
            for (const kind of ["folder", "operator", "map"]) {
                graph.group(kind);
                graph.collapse();
                await drawn();
                for (const id of graph.groups.keys()) {
                    if (graph.cy.getElementById(id).empty()) continue;
                    // The best of some, because others work on the same machine.
                    let best = Infinity;
                    for (let tries = 0; tries < 8 && best > limit; tries++) {
                        if (graph.isOpen(id)) graph.toggle(id);
                        await drawn();
                        const began = performance.now();
                        graph.cy.getElementById(id).emit("tap");
                        await drawn();
                        best = Math.min(best, performance.now() - began);
                    }
                    took.push([best, id]);
                }
            }
            return took.sort((a, b) => b[0] - a[0]);
        }""",
        CLICK_MS,
    )
    assert len(took) >= 2
    assert took[0][0] < CLICK_MS, took[:5]


def test_a_search_shows_a_derivation_and_its_relatives(opened, report: Report):
    page = opened()
    name = chosen(report)
    page.click("#collapse")
    search(page, name)
    assert boxes(page, ".chosen") == {name}
    assert name in page.locator("#details h3").inner_text()
    up, down = (related(report.catalog, name, up) for up in (True, False))
    assert up and down
    # A closed group is marked when any of its members is a relative.
    assert up <= boxes(page, ".up") and down <= boxes(page, ".down, .up")
    single = {n for n in boxes(page, ".leaf") if n != name}
    assert boxes(page, ".leaf.up") == single & up
    assert boxes(page, ".leaf.down") == single & down
    assert not boxes(page, ".faded") & (up | down)


def test_only_the_neighbours_to_so_many_steps(opened, report: Report):
    page = opened()
    name = chosen(report)
    search(page, name)
    page.fill("#up", "1")
    page.fill("#down", "0")
    page.click("#focus")
    variable = report.catalog[name]
    assert isinstance(variable, Var)
    assert boxes(page, ".leaf, .closed") == {name, *(str(p.name) for p in variable.parents)}
    page.fill("#up", "99")
    page.press("#up", "Tab")
    everything = {name} | related(report.catalog, name, up=True)
    page.wait_for_function("n => report.graph.only.size === n", arg=len(everything))
    page.click("#focus")
    assert boxes(page, ".leaf, .closed") == set(report.catalog.variables)


def test_colours_say_state_duration_and_missing_share(opened, report: Report):
    page = opened()
    fills = "report.graph.cy.nodes('.leaf, .closed').map(box => box.data('stops'))"
    assert len(set(page.evaluate(fills))) == 1  # all is up to date
    for kind in ("duration", "missing"):
        page.select_option("#colour", kind)
        assert len(set(page.evaluate(fills))) > 1


def test_what_a_derivation_is_and_holds(opened, report: Report):
    page = opened()
    search(page, chosen(report))
    text = page.locator("#details").inner_text()
    for part in (
        "Missing values",
        "Distribution",
        "Median",
        "Result",
        "Job of this run",
        "Used by",
    ):
        assert part in text
    assert page.locator("#details svg").count() == 3
    page.locator("#details .link").first.click()
    parent = page.locator("#details h3").inner_text().partition(".")[2]
    variable = report.catalog[chosen(report)]
    assert isinstance(variable, Var)
    assert parent == variable.parents[0].name


def test_the_timeline_tells_of_the_job_below_the_mouse(opened, report: Report):
    page = opened()
    place = page.evaluate(
        """() => {
            const { timeline, model } = report;
            const { jobs } = model.run;
            const job = timeline.order.findLast(j => jobs.node[j] >= 0);
            // Near enough that it is more than a pixel wide.
            const [start, wall] = [jobs.start[job], jobs.wall[job]];
            timeline.range = [start - wall, start + 2 * wall];
            timeline.draw();
            const x = timeline.x(jobs.start[job] + jobs.wall[job] / 2);
            return { x, y: (timeline.lane.get(job) + 0.5) * timeline.laneHeight,
                     rule: jobs.rule[job] };
        }"""
    )
    canvas = page.locator("#timeline canvas")
    canvas.hover(position={"x": place["x"], "y": place["y"]})
    assert page.locator("#tooltip").inner_text().startswith(f"{place['rule']}: ")
    canvas.click(position={"x": place["x"], "y": place["y"]})
    assert place["rule"] in page.locator("#details h3").inner_text()


def test_a_table_is_sorted_by_its_head(opened, report: Report):
    page = opened()
    first = page.locator("#operators tbody tr:first-child td:first-child")
    names = page.locator("#operators tbody td:first-child").all_inner_texts()
    page.locator("#operators th button").first.click()
    assert first.inner_text() == min(names)
    page.locator("#operators th button").first.click()
    assert first.inner_text() == max(names)


@pytest.mark.parametrize("width", [1280, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_window_in_light_and_dark(opened, width: int, scheme: str):
    page = opened(width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    (red,) = page.evaluate(
        "[Number(/\\\\d+/.exec(getComputedStyle(document.body).backgroundColor)[0])]"
        .replace("\\\\", "\\")
    )  # fmt: skip
    assert red > 200 if scheme == "light" else red < 60
    # Where nothing is drawn a canvas is transparent; the graph has drawn something.
    drawn = """() => [...document.querySelectorAll("#graph canvas")].some(canvas =>
        canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
            .data.some(value => value))"""
    page.wait_for_function(drawn)


def test_it_prints_light_with_the_graph_as_a_picture(opened, report: Report):
    page = opened(color_scheme="dark")
    assert page.locator("#graph-print").is_hidden()
    # The pages are counted before the picture is there: none may be lost by that.
    first, again = (page.pdf(prefer_css_page_size=True) for _ in range(2))
    assert first.count(b"/Type /Page\n") == again.count(b"/Type /Page\n") > 1
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    page.wait_for_function("document.getElementById('graph-print').naturalWidth > 100")
    assert page.locator("#graph-print").is_visible() and page.locator("#graph").is_hidden()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(28, 35, 48)"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert page.locator("#graph").is_visible()
