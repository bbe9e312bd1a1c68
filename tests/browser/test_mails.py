"""The built-in mails as people see them, and the page that they unsubscribe on, drawn by a real browser.

The pictures are left in ``build/mails`` to be looked at; what can be measured is measured: every text stands out from
what is behind it, and nothing has to be scrolled sideways. Needs Chromium.
"""

import html
import json
import subprocess
from pathlib import Path

import pytest
from tests.browser import chromium

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.rendering import MessageRenderer
from perdure.core.notifications.samples import extremes, sample
from perdure.core.notifications.unsubscribing import UnsubscribeLinks
from perdure.routes.unsubscribing import STEPS, page_of

CHROMIUM = chromium.executable()
PICTURES = Path(__file__).parents[2] / "build" / "mails"
ENOUGH_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3."""
LOOKS = {"light": (800, 0), "wide": (1400, 0), "dark": (800, 1), "narrow": (360, 0), "narrow-dark": (360, 1)}
"""The width in pixels, and whether the reader prefers dark."""
LINKS = UnsubscribeLinks("https://jobs.example.com", "a secret of some length")
RENDERER = MessageRenderer("https://jobs.example.com", unsubscribe_links=LINKS)


@pytest.fixture(autouse=True)
def _chromium() -> None:
    if not CHROMIUM:
        pytest.fail("Chromium draws the mails, and there is none: `make test-browser` fetches it")


MEASURE = """
const channel = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
const luminance = (colour) => {
  const [red, green, blue] = numbers(colour).map((value) => channel(value / 255));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
function behind(element) {
  for (let one = element; one; one = one.parentElement) {
    const colour = getComputedStyle(one).backgroundColor;
    if ((numbers(colour)[3] ?? 1) > 0) return colour;
  }
  return "rgb(255, 255, 255)";
}
function measure(page) {
  const walker = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT);
  let least = { contrast: 21 };
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.offsetHeight || element.closest(".preheader")) continue;
    const [high, low] = [getComputedStyle(element).color, behind(element)].map(luminance).sort((a, b) => b - a);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < least.contrast) least = { contrast, text: walker.currentNode.data.trim() };
  }
  return { ...least, width: page.documentElement.scrollWidth, ground: luminance(behind(page.querySelector("h1"))) };
}
onload = () => {
  const measured = [...document.querySelectorAll("iframe")].map((frame) => measure(frame.contentDocument));
  document.querySelector("output").textContent = JSON.stringify(measured);
};
"""


def browse(page: Path, look: str, *options: str) -> str:
    width, prefers_dark = LOOKS[look]
    # A page cannot be asked to prefer dark; the engine can: 0 is dark, 1 is light.
    scheme = f"--blink-settings=preferredColorScheme={1 - prefers_dark}"
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", scheme]
    command += [f"--user-data-dir={page.parent / 'profile'}", f"--window-size={max(width, 500)},1000", *options]
    done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def framed(mails: list[str], look: str) -> str:
    """A page that shows ``mails`` as wide as the look wants: a window cannot be as narrow as a telephone."""
    width, _ = LOOKS[look]
    style = (
        f"<style>body {{ margin: 0 }} iframe {{ width: {width}px; height: 1000px; border: 0; display: block }}</style>"
    )
    frames = "".join(f'<iframe srcdoc="{html.escape(mail)}"></iframe>' for mail in mails)
    return f'<!DOCTYPE html><meta charset="utf-8">{style}{frames}<output></output><script>{MEASURE}</script>'


@pytest.mark.parametrize("look", LOOKS)
def test_mails_can_be_read(look, tmp_path):
    page = tmp_path / "mails.html"
    mails = [
        RENDERER.write(event, snapshot, subscription).html
        for event in JobEvent
        for snapshot, subscription in zip(
            (sample(event), *extremes(event, "x" * 200)), (None, None, "o" * 200), strict=True
        )
    ]
    mails += [page_of(step, "a***@e***.com") for step in STEPS]
    page.write_text(framed(mails, look), encoding="utf-8")
    _, _, measured = browse(page, look, "--dump-dom").partition("<output>")
    width, prefers_dark = LOOKS[look]
    found = json.loads(html.unescape(measured.partition("</output>")[0]))
    assert len(found) == len(mails)
    for one in found:
        assert one["contrast"] >= ENOUGH_CONTRAST, one
        assert one["width"] <= width
        assert (one["ground"] < 0.2) is bool(prefers_dark)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("event", JobEvent, ids=lambda event: event.name)
def test_a_picture_is_left_of_each(event, look, tmp_path):
    PICTURES.mkdir(parents=True, exist_ok=True)
    picture = PICTURES / f"{event.value.lower()}-{look}.png"
    picture.unlink(missing_ok=True)
    page = tmp_path / "mail.html"
    page.write_text(framed([RENDERER.write(event, sample(event)).html], look), encoding="utf-8")
    browse(page, look, f"--screenshot={picture}")
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("look", LOOKS)
def test_a_picture_is_left_of_the_page_that_unsubscribes(look, tmp_path):
    PICTURES.mkdir(parents=True, exist_ok=True)
    picture = PICTURES / f"unsubscribe-{look}.png"
    picture.unlink(missing_ok=True)
    page = tmp_path / "page.html"
    page.write_text(framed([page_of(STEPS[0], "a***@e***.com")], look), encoding="utf-8")
    browse(page, look, f"--screenshot={picture}")
    assert picture.read_bytes().startswith(b"\x89PNG")
