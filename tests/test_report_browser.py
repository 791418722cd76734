"""The report in a real browser, from disk and without a network: run with -m browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Report, slower
from playwright.sync_api import Page
from test_report import data_of
from test_report_graph import chosen, search

from deriv_ops import Var
from deriv_ops.report import render

pytestmark = pytest.mark.browser

FIRST_PAINT_MS = 2000
MOST_BYTES = 5_000_000


def test_it_opens_fast_and_is_small(opened, report: Report):
    page = opened()
    paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    limit = FIRST_PAINT_MS * slower()
    assert page.evaluate(paint) < limit
    assert float(page.evaluate("document.body.dataset.ready")) < limit
    assert report.path.stat().st_size < MOST_BYTES
    tiles = page.locator(".tile").all_inner_texts()
    assert tiles[0].split()[0] == "succeeded"
    derivations = sum(isinstance(variable, Var) for variable in report.catalog)
    tables = len(report.catalog) - derivations
    assert tiles[1].split("\n") == [f"{derivations:,}", f"derivations, of {tables:,} input tables"]
    assert page.locator("#failures").inner_text() == "None."


def test_it_opens_in_browsers_of_some_years_ago(opened):
    page = opened(
        before="""
        for (const kind of [globalThis.Iterator?.prototype ?? {}, Set.prototype])
            for (const name of ["filter", "map", "flatMap", "take", "drop", "some", "every", "find",
                "reduce", "toArray", "union", "intersection", "difference", "isSubsetOf"])
                delete kind[name];
        """
    )
    assert page.evaluate("[].keys().filter") is None
    assert page.locator("#environment dd").count() > 5  # the last part of the page


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
            const { timeline } = report;
            const bar = timeline.bars.filter(bar => bar.node >= 0).at(-1);
            // Near enough that it is more than a pixel wide.
            timeline.range = [bar.start - bar.wall, bar.start + 2 * bar.wall];
            timeline.draw();
            const lane = timeline.lanes.findIndex(lane => lane.includes(bar));
            return { x: timeline.x(bar.start + bar.wall / 2),
                     y: (lane + 0.5) * timeline.laneHeight, rule: bar.rule, worker: bar.worker };
        }"""
    )
    canvas = page.locator("#timeline .lanes")
    canvas.hover(position={"x": place["x"], "y": place["y"]})
    told = page.locator("#tooltip").inner_text()
    assert told.startswith(f"{place['rule']}: ") and told.endswith(f"\n{place['worker']}")
    canvas.click(position={"x": place["x"], "y": place["y"]})
    assert place["rule"] in page.locator("#details h3").inner_text()


@pytest.fixture
def changed(opened, report: Report, tmp_path: Path) -> Callable[..., Page]:
    """Open a page whose data a function has changed."""

    def open_(change: Callable[[dict[str, Any]], None], **options: Any) -> Page:
        data = data_of(report.path)
        change(data)
        page = tmp_path / "page.html"
        page.write_text(render(data))
        return opened(other=page, **options)

    return open_


def test_many_workers_have_lanes_names_and_idle_shares(changed):
    def on_fifty_nodes(data: dict[str, Any]) -> None:
        run = data["run"]
        run["about"]["machines"] = [{"threads": 28}] * 50
        run["workers"] = [f"node{at} tcp://10.0.0.{at}:4000" for at in range(46)]
        run["jobs"]["worker"] = [at % 46 for at in range(len(run["jobs"]["rule"]))]

    page = changed(on_fifty_nodes)
    names, lanes, height = page.evaluate(
        """[report.timeline.workers.map(worker => worker.name), report.timeline.lanes.length,
            report.timeline.laneHeight * report.timeline.lanes.length]"""
    )
    ran = page.evaluate("new Set(report.model.run.jobs.worker).size")
    assert lanes == 50 * 28 and height < 3000
    assert names[:ran] == sorted(names[:ran], key=lambda name: int(name.split()[0][4:]))
    assert names[ran:] == ["no job ran"] * (50 - ran)
    # The time stays in sight.
    top = "document.querySelector('#timeline .axis').getBoundingClientRect().top"
    page.evaluate("document.getElementById('timeline').scrollTop = 0")
    before = page.evaluate(top)
    page.evaluate("document.getElementById('timeline').scrollTop = 600")
    assert page.evaluate(top) == before


def test_thousands_of_failures_are_one_entry_for_each_message(changed, report: Report):
    def failing(data: dict[str, Any]) -> None:
        jobs = data["run"]["jobs"]
        data["run"]["outcome"] = "failed"
        for at, rule in enumerate(jobs["rule"]):
            if jobs["node"][at] >= 0:
                kind = "OSError: no space for" if at % 3 else "ValueError: odd:"
                jobs["ok"][at] = False
                jobs["error"][at] = f'Traceback:\n  File "a.py", line {at}\n{kind} {rule}\n'

    page = changed(failing)
    entries = page.locator("#failures details").all_inner_texts()
    count = len(report.catalog)
    assert len(entries) == 2
    assert sum(int(entry.split()[0].replace(",", "")) for entry in entries) == count
    assert "OSError: no space for …" in entries[0] and "ValueError: odd: …" in entries[1]
    first = page.locator("#failures details").first
    name = first.locator("p .link").inner_text()
    assert report.catalog[name] and f"{name}.log" in first.locator("p code").inner_text()
    assert f"OSError: no space for {name}" in first.locator("pre").inner_text()
    assert page.evaluate("document.documentElement.scrollHeight") < 8000
    assert float(page.evaluate("document.body.dataset.ready")) < FIRST_PAINT_MS * slower()
    assert page.locator(".tile.bad b").first.inner_text() == "failed"
    first.locator("p .link").click()
    assert "OSError" in page.locator("#details").inner_text()


def test_what_a_former_run_made_keeps_its_duration(changed, report: Report):
    def nothing_ran(data: dict[str, Any]) -> None:
        jobs = data["run"]["jobs"]
        places = {node: job for job, node in enumerate(jobs["node"])}
        data["last"] = {"started": [], "wall": [], "record": []}
        for node in range(len(report.catalog)):
            data["last"]["started"].append(1.7e9)
            data["last"]["wall"].append(jobs["wall"][places[node]])
            data["last"]["record"].append(0)
        del data["critical"]
        data["records"] = ["20231114T221320-1234abcd.jsonl"]
        for column in jobs.values():
            column.clear()

    page = changed(nothing_ran)
    search(page, chosen(report))
    told = page.locator("#details").inner_text()
    assert "Last job, of a former run" in told and "2023" in told and "1234abcd" in told
    assert page.locator("#slowest tbody tr").count() == min(25, len(report.catalog))
    page.select_option("#colour", "duration")
    fills = "report.graph.cy.nodes('.leaf, .closed').map(box => box.data('fill'))"
    assert len(set(page.evaluate(fills))) > 1


def test_what_runs_is_shown_as_such(changed):
    def going_on(data: dict[str, Any]) -> None:
        run, node = data["run"], len(data["nodes"]["name"]) - 1
        data["states"] = [*data["states"][:4], "running"]
        data["nodes"]["state"][node] = 4
        run["outcome"], run["end"] = "goes on", {}
        rule = data["nodes"]["name"][node]
        host = run["workers"][0].split()[0]
        data["made"] = run["about"]["started"] + 100.0
        run["running"] = [{"rule": rule, "node": node, "host": host, "start": 90.0}]

    page = changed(going_on)
    tiles = page.locator(".tile").all_inner_texts()
    assert tiles[0].startswith("goes on") and "1\nrunning" in tiles
    assert "running" in page.locator("#legend").inner_text()
    assert "runs" in page.locator("#timeline-legend").inner_text()
    (bar,) = page.evaluate("report.timeline.bars.filter(bar => bar.runs)")
    assert (bar["start"], round(bar["wall"], 3)) == (90.0, 10.0)


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
    for part in ("th", "td", ".tile b", ".tile span", "dd", "summary", "h2", "button", "label"):
        cut = """part => [...document.querySelectorAll(part)]
            .filter(each => each.scrollWidth > each.clientWidth + 1 && each.clientWidth)
            .map(each => each.innerText)"""
        assert page.evaluate(cut, part) == []
    # Rows of tables take one line.
    tall = "[...document.querySelectorAll('#operators td')].map(cell => cell.offsetHeight)"
    assert max(page.evaluate(tall)) < 40
    # Text can be told from what it stands on.
    seen = page.evaluate(
        """() => {
            const { cy } = report.graph, theme = report.graph.theme();
            const written = ["text", "quiet", "accent"];
            const pairs = [...written.map(name => [colour(name), colour("card"), 4.5]),
                ...theme.states.map(fill => ["#ffffff", fill, 3.5])];
            for (const kind of ["state", "duration", "missing"]) {
                report.graph.colour = kind;
                report.graph.paint();
                cy.nodes(".leaf, .closed").forEach(
                    box => pairs.push([box.data("text"), box.data("fill"), 3.5]));
            }
            return pairs;
        }"""
    )
    for text, ground, least in seen:
        assert contrast(text, ground) >= least, (text, ground)
    assert (luminance(page.evaluate("colour('page')")) > 0.8) == (scheme == "light")
    # Where nothing is drawn a canvas is transparent; the graph has drawn something.
    drawn = """() => [...document.querySelectorAll("#graph canvas")].some(canvas =>
        canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
            .data.some(value => value))"""
    page.wait_for_function(drawn)


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2.2 for #rrggbb or #rgb."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    shares = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return sum(weight * s for weight, s in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2.2, from 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_it_prints_light_with_the_graph_as_a_picture(opened, report: Report):
    page = opened(color_scheme="dark")
    assert page.locator("#graph-print").is_hidden()
    # The pages are counted before the picture is there: none may be lost by that.
    first, again = (page.pdf(prefer_css_page_size=True) for _ in range(2))
    assert first.count(b"/Type /Page\n") == again.count(b"/Type /Page\n") > 1
    # The picture is made while the media is still the screen.
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("report.graph.theme().text") == "#1c2330"
    assert page.evaluate(
        """() => {
            const colours = report.graph.cy.edges().map(edge => edge.style("line-color"));
            return colours.every(text => Number(/\\d+/.exec(text)[0]) > 120);
        }"""
    )
    page.emulate_media(media="print")
    page.wait_for_function("document.getElementById('graph-print').naturalWidth > 100")
    assert page.locator("#graph-print").is_visible() and page.locator("#graph").is_hidden()
    # The first page, A4 less its margins, has the tiles and the graph.
    page.set_viewport_size({"width": 1032, "height": 700})
    bottom = "document.getElementById('graph-section').getBoundingClientRect().bottom + scrollY"
    assert page.evaluate(bottom) < 186 / 25.4 * 96
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(28, 35, 48)"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert page.locator("#graph").is_visible()
    assert page.evaluate("report.graph.theme().text") == "#e6eaf0"
