"""The pictures of the dashboard in docs/pictures, drawn anew from the data set: ``make pictures``.

Wide and narrow, light and dark, as WebP, which the browser itself writes: a screen is some twenty kilobytes.
"""

import base64
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from tests.browser import chromium
from tests.browser.dataset import DataSet, fill
from tests.databases import create_database, run_aside
from tests.installation import installed

from perdure.db.embedded import EmbeddedPostgres

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
SIZES = {"wide": {"width": 1360, "height": 680}, "narrow": {"width": 360, "height": 620}}
QUALITY = 0.2
QUIET = {f"PERDURE_RUN_{part}": "false" for part in ("NOTIFIER", "PROMOTER", "SCHEDULER", "SWEEPER")}
TO_WEBP = """async ([png, quality]) => {
  const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/webp", quality })).arrayBuffer());
  return btoa(Array.from(bytes, (one) => String.fromCharCode(one)).join(""));
}"""


def screens(data: DataSet) -> dict[str, tuple[str, bool]]:
    """The screens by the names of their pictures: where each is, and whether it is what the first row there opens."""
    return {
        "overview": ("/", False),
        "jobs": ("/jobs", False),
        "job": (f"/jobs/{data.failed}", False),
        "notifications": ("/notifications", False),
        "delivery": ("/notifications?status=DELIVERED&event=SUCCESS", True),
        "queues": ("/queues", False),
        "schedules": ("/schedules", False),
        "workers": ("/workers", False),
        "job-submit": ("/job-types/media.transcode/submit", False),
    }


def draw() -> list[Path]:
    """Draws all of them and returns the files."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as opened:
        server = opened.enter_context(EmbeddedPostgres(Path(directory) / "embedded"))
        url = run_aside(create_database(server.asyncpg, "pictures"))
        made = opened.enter_context(installed(url, Path(directory)))
        address = made.serve(**QUIET).ready["url"]
        data = run_aside(fill(url, with_hostile=False))
        playwright = opened.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium.executable(), chromium_sandbox=False)
        converter = browser.new_page()
        return [
            _picture(browser, converter, address + path, f"{name}-{size}-{scheme}", size, scheme, opens_row=opens_row)
            for name, (path, opens_row) in screens(data).items()
            for size in SIZES
            for scheme in ("light", "dark")
        ]


def _picture(
    browser: Browser, converter: Page, url: str, name: str, size: str, scheme: str, *, opens_row: bool
) -> Path:
    context = browser.new_context(viewport=SIZES[size], color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    page.goto(url)
    if opens_row:
        page.goto(page.locator("a.row").first.evaluate("(link) => link.href"))
    if page.locator("[data-live-state]").count():
        page.locator("[data-live-state]").get_by_text("Live").wait_for()
    png = base64.b64encode(page.screenshot()).decode()
    context.close()
    picture = PICTURES / f"{name}.webp"
    picture.write_bytes(base64.b64decode(converter.evaluate(TO_WEBP, [png, QUALITY])))
    return picture


if __name__ == "__main__":
    PICTURES.mkdir(parents=True, exist_ok=True)
    for one in draw():
        sys.stdout.write(f"{one.relative_to(Path.cwd())} {one.stat().st_size // 1000} kB\n")
