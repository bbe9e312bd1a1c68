"""Chromium, and a platform whose pages it looks at: real processes, a realistic data set (``dataset``).

Whatever a page says against itself fails the test that looked at it: an error of a script, or anything that the
Content-Security-Policy held back. ``seen`` leaves a picture in ``build/dashboard``, and ``check`` asks axe.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tests.browser import chromium
from tests.browser.dataset import DataSet, fill
from tests.databases import run_aside
from tests.installation import installed

PICTURES = Path(__file__).parents[2] / "build" / "dashboard"
ARGUMENTS = (
    *("--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--no-first-run", "--hide-scrollbars", "--force-color-profile=srgb"),
)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 360, "height": 780}
MOST_SHIFT = 0.01
"""Cumulative layout shift, of which browsers call 0.1 good."""
LISTEN = """
window.perdureShifts = [];
const named = (node) => node?.id || node?.className || node?.parentElement?.className || node?.nodeName;
new PerformanceObserver((list) => {
  for (const { hadRecentInput, value, startTime, sources } of list.getEntries())
    if (!hadRecentInput) perdureShifts.push({ value, startTime, moved: sources.map(({ node }) => named(node)) });
}).observe({ type: "layout-shift", buffered: true });
addEventListener("securitypolicyviolation", (event) =>
  perdureHeldBack(`${event.effectiveDirective}: ${event.blockedURI} ${event.sample}`));
"""
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = chromium.executable()
    if not found:
        pytest.fail("There is no Chromium: `make test-browser` fetches it")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS), chromium_sandbox=False)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def platform_url(embedded_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose database has the data set; no worker runs."""
    with installed(embedded_url, tmp_path_factory.mktemp("platform")) as made:
        server = made.serve(PERDURE_RUN_NOTIFIER="false", PERDURE_RUN_PROMOTER="false", PERDURE_RUN_SCHEDULER="false")
        yield server.ready["url"]


@pytest.fixture(scope="module")
def data(platform_url: str, embedded_url: str) -> DataSet:
    """What the pages show; written once a module."""
    return run_aside(fill(embedded_url))


@pytest.fixture
def contexts(browser: Browser, platform_url: str) -> Iterator[Callable[..., BrowserContext]]:
    """Makes windows of their own (options as Playwright's ``new_context``), in which nothing may go wrong."""
    made: list[BrowserContext] = []
    wrong: list[str] = []

    def make(**options) -> BrowserContext:
        context = browser.new_context(
            **{"base_url": platform_url, "viewport": WIDE, "reduced_motion": "reduce"} | options
        )
        context.expose_function("perdureHeldBack", lambda what: wrong.append(f"held back: {what}"))
        context.add_init_script(LISTEN)
        context.on("weberror", lambda error: wrong.append(f"a script failed: {error.error}"))
        context.on("console", lambda said: _is_grave(said) and wrong.append(f"the console says: {said.text}"))
        context.set_default_timeout(20_000)
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()
    assert wrong == []


EXPECTED = ("Failed to load resource", "Blocked script execution in")
"""Browsers tell of every answer that is no success, at which the tests look themselves; and in the sandboxed frame of a
message even the listener above is no script that may run."""


def _is_grave(said) -> bool:
    return said.type in ("error", "warning") and not said.text.startswith(EXPECTED)


@pytest.fixture
def page(contexts: Callable[..., BrowserContext]) -> Page:
    """A wide window, in the light."""
    return contexts(color_scheme="light").new_page()


@pytest.fixture(scope="session")
def axe() -> Axe:
    return Axe()


@pytest.fixture
def check(axe: Axe) -> Callable[[Page], None]:
    """Fails where axe finds anything, or where the page is wider than its window."""

    def check(page: Page) -> None:
        found = axe.run(page, options={"resultTypes": ["violations"], "runOnly": RULES})
        assert found.violations_count == 0, found.generate_report()
        width, window = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width <= window, f"{page.url} is {width} px wide in a window of {window} px"

    return check


@pytest.fixture
def looks(contexts, check) -> Callable[..., None]:
    """``looks("/jobs", "jobs")``: the page light and dark, wide and narrow; each is checked, and a picture is left."""

    def looks(path: str, name: str, prepare: Callable[[Page], object] = lambda _page: None) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        for width_name, viewport in (("wide", WIDE), ("narrow", NARROW)):
            for scheme in ("light", "dark"):
                window = contexts(viewport=viewport, color_scheme=scheme).new_page()
                window.goto(path)
                prepare(window)
                shifts = window.evaluate("perdureShifts")
                assert sum(shift["value"] for shift in shifts) <= MOST_SHIFT, f"{path} moves while it loads: {shifts}"
                check(window)
                window.screenshot(path=PICTURES / f"{name}-{width_name}-{scheme}.png", full_page=True)
                window.context.close()

    return looks


def press(page: Page, key: str) -> None:
    """Presses a key when the scripts that hear it are there: a page has its address, and its texts, before them."""
    page.wait_for_load_state()
    page.keyboard.press(key)


def numbers(text: str) -> list[int]:
    """The whole numbers in a text of a page."""
    return [int(one.replace(",", "")) for one in re.findall(r"\d[\d,]*", text)]
