"""The page in a real browser: it draws, keeps its policy, fits every screen."""

import json
import os
from pathlib import Path

import pytest

from esgml.dashboard.forecast.target import TARGETS

CHROMIUM = Path(os.environ.get("ESGML_CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}")
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, live):
    """Return a function that opens a path and the list of what went wrong on the way."""
    app, url = live
    contexts = []

    def open_page(path="/", **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.problems = []
        page.requested = []
        page.on("console", lambda m: page.problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: page.problems.append(str(e)))
        page.on("request", lambda r: page.requested.append(r.url))
        page.goto(url + path, wait_until="load")
        return page

    open_page.app, open_page.url = app, url
    yield open_page
    for context in contexts:
        context.close()


def shot(page, name):
    """Keep a picture where ESGML_SCREENSHOTS says, for a person to look at."""
    folder = os.environ.get("ESGML_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_draws_and_fits(visit, make_report, make_target, scheme, width):
    visit.app.store(make_report())
    visit.app.store(make_target(), TARGETS)
    page = visit(color_scheme=scheme, viewport={"width": width, "height": 900})
    assert page.locator("h1").inner_text() == "Scope 1 and 2 forecast"
    chart = page.locator("svg.chart:visible")
    assert chart.count() == 1
    assert chart.locator("path.band").count() == 2
    assert chart.locator("path.aim").count() == 1
    scroll = page.evaluate("document.documentElement.scrollWidth")
    assert scroll <= width, "the page scrolls sideways"
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 21, 27)"
    assert dark == (scheme == "dark")
    box = chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.95, box["y"] + box["height"] / 2)
    tip = page.locator(".tip")
    assert tip.is_visible() and "forecast" in tip.inner_text() and "80 %" in tip.inner_text()
    shot(page, f"home-{scheme}-{width}")
    page.mouse.move(0, 0)
    assert not page.locator(".tip").is_visible()
    page.locator("summary").click()
    assert page.locator("details table tbody tr").count() == 30
    assert page.problems == []
    assert all(r.startswith(visit.url) for r in page.requested)
    shot(page, f"numbers-{scheme}-{width}")


def test_the_page_works_without_scripts(visit, make_report):
    visit.app.store(make_report())
    page = visit("/?series=1", java_script_enabled=False)
    assert page.locator("svg.chart:visible path.ahead").count() == 1
    assert "Plant South" in page.locator(".lead").inner_text()
    page.locator("summary").click()
    assert page.locator("details table").is_visible()


def test_hostile_names_stay_text(visit, make_report):
    names = (
        "<script>document.title='owned'</script>",
        '"><img src=x onerror="document.title=\'owned\'">',
        "' onload='x' {{ 7 * 7 }}",
    )
    visit.app.store({**make_report(names), "title": "<b>bold</b>"})
    for i, name in enumerate(names):
        page = visit(f"/?series={i}")
        assert page.title() == "<b>bold</b> · esgml"
        assert name in page.locator(".lead").inner_text()
        assert page.locator("main img, main script").count() == 0
        assert page.problems == []


def test_a_long_name_does_not_break_the_page(visit, make_report):
    visit.app.store(make_report(("x" * 200, "b")))
    page = visit(viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_empty_page_and_the_documentation(visit):
    page = visit()
    assert "No forecast is stored yet" in page.locator(".notice").first.inner_text()
    assert page.locator("#models + .panel tbody tr").count() == 1
    assert page.problems == []
    shot(page, "empty")
    page = visit("/docs", viewport={"width": 1000, "height": 900})
    page.locator("summary").first.click()
    assert page.locator("details[open] pre").count() == 2
    assert page.problems == []
    shot(page, "docs")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("path", ["/anomalies", "/plan", "/regulation"])
def test_the_other_pages_fit_and_lead_to_each_other(visit, path, width):
    page = visit(path, viewport={"width": width, "height": 900})
    assert page.locator("nav [aria-current]").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("nav a", has_text="Forecast").click()
    assert page.locator("nav [aria-current]").inner_text() == "Forecast"
    assert page.problems == []


def test_keys_leave_verdicts_and_move_through_the_queue(visit):
    from esgml.dashboard.anomalies.report import STORED
    from esgml.dashboard.anomalies.verdicts import latest, verdicts_path

    settings = visit.app.serving.settings
    path = STORED.path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    when = {"start": "2026-01-01T00:00", "end": "2026-01-01T01:00", "kind": "spike"}
    events = [{"id": n, "entity": n, "tco2e": s, **when} for n, s in (("first", 2), ("second", 1))]
    path.write_text(json.dumps({"events": events}))
    page = visit("/anomalies")
    page.keyboard.press("c")
    page.locator("[data-event] [role=status]", has_text="confirmed").wait_for()
    page.keyboard.press("j")
    page.wait_for_url("**/anomalies?event=1")
    page.get_by_role("button", name="Dismiss").click()
    page.locator("[data-event] [role=status]", has_text="dismissed").wait_for()
    assert latest(verdicts_path(settings)) == {"first": "true", "second": "false"}
    assert page.locator("tr.current .verdict").inner_text() == "dismissed"
    assert page.problems == []
    shot(page, "anomalies")
