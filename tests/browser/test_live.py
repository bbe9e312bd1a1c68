"""Pages while things happen: a worker runs, rows change where they are, new ones are announced, a flood is borne."""

import json
import re
from uuid import UUID

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import press
from tests.installation import installed, until

from perdure.client import calls
from perdure.client.client import Client

SLEEP, FAIL = "demo.sleep", "demo.fail"
COUNT = """
  window.told = [];
  window.most = 0;
  document.addEventListener("perdure:changes", ({ detail }) => {
    told.push(performance.now());
    most = Math.max(most, detail.jobs.length);
  });
"""


@pytest.fixture(scope="module")
def platform_url(embedded_url, tmp_path_factory):
    """A platform at work."""
    with installed(embedded_url, tmp_path_factory.mktemp("at-work")) as made:
        url = made.serve().ready["url"]
        made.work("--concurrency", "8")
        yield url


@pytest.fixture
def client(platform_url):
    with Client(platform_url) as client:
        yield client


def order(page):
    return page.locator("tbody tr").evaluate_all("(rows) => rows.map((row) => row.dataset.row)")


def is_live(page):
    expect(page.locator("[data-live-state]")).to_have_text("Live")


def test_rows_change_where_they_are_and_new_ones_are_announced(page, client):
    jobs = [client.submit(SLEEP, {"seconds": 1.5})["job_id"] for _ in range(4)]
    page.goto("/jobs?tag=")
    is_live(page)
    before = order(page)
    assert set(jobs) <= set(before)
    for job in jobs:
        expect(page.locator(f'[data-row="{job}"] .badge')).to_have_text("Succeeded")
    newer = client.submit(FAIL, {"message": "no"}, max_retries=0)["job_id"]
    expect(page.get_by_role("link", name="1 new job: show it")).to_be_visible()
    expect(page.locator("#state-tabs").get_by_role("link", name="Failed")).to_contain_text(re.compile("[1-9]"))
    assert order(page) == before
    page.get_by_role("link", name="1 new job").click()
    expect(page.locator("tbody tr").first).to_have_attribute("data-row", newer)


def test_updates_can_be_paused(page, client):
    job = client.submit(SLEEP, {"seconds": 0}, delay_seconds=600)["job_id"]
    page.goto("/jobs")
    is_live(page)
    press(page, "p")
    expect(page.locator("[data-live-state]")).to_have_text("Paused")
    client.call(calls.cancel_job(job))
    row = page.locator(f'[data-row="{job}"] .badge')
    press(page, "p")
    expect(row).to_have_text("Cancelled")
    is_live(page)


def test_a_job_is_followed_to_its_end(page, client):
    job = client.submit(SLEEP, {"seconds": 2})["job_id"]
    page.goto(f"/jobs/{job}")
    expect(page.locator("#job-head .badge")).to_have_text("Succeeded")
    expect(page.locator("#story")).to_contain_text("Attempt 1 succeeded")
    expect(page.get_by_role("heading", name="Result")).to_be_visible()
    expect(page.get_by_role("button", name="Retry")).to_be_visible()


def test_the_overview_keeps_up(page, client):
    client.submit(SLEEP, {"seconds": 0})
    page.goto("/")
    is_live(page)
    client.submit(FAIL, {"message": "the tape tore"}, max_retries=0)
    expect(page.locator("#failures")).to_contain_text("the tape tore", timeout=15_000)


def test_a_hidden_tab_has_no_connection(page, client):
    ended = []
    client.submit(SLEEP, {"seconds": 0})
    page.on("requestfailed", lambda request: ended.append(request.url))
    page.on("requestfinished", lambda request: ended.append(request.url))
    page.goto("/jobs")
    is_live(page)
    hide = """(hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    with page.expect_event("requestfailed", lambda request: "/changes" in request.url):
        page.evaluate(hide, True)
    with page.expect_request(re.compile("/changes")):
        page.evaluate(hide, False)
    is_live(page)


def test_a_flood_costs_a_tab_few_updates_and_little_memory(page, client):
    """Two thousand events a second for five seconds, as fast as a browser takes them."""
    client.submit(SLEEP, {"seconds": 0})

    def told(first):
        jobs = [
            {"job_id": str(UUID(int=first + one)), "status": "RUNNING", "events": ["STARTED"]} for one in range(200)
        ]
        return f"data: {json.dumps({'count': 500, 'is_whole': False, 'jobs': jobs})}\n\n"

    flood = "retry: 600000\n" + "".join(told(200 * number) for number in range(20))
    page.route(
        re.compile("/changes"),
        lambda route: route.fulfill(status=200, content_type="text/event-stream", body=flood),
    )
    page.add_init_script(COUNT)
    page.goto("/jobs")
    until(lambda: page.evaluate("told.length > 0 && performance.now() - told.at(-1) > 600"))
    gaps = page.evaluate("told.slice(1).map((at, index) => at - told[index])")
    assert all(gap >= 245 for gap in gaps), gaps
    assert page.evaluate("told.length") <= 3
    assert page.evaluate("most") <= 500
