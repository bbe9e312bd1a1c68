"""A platform that nobody has used yet: each screen says how to begin, and notices when somebody does."""

import pytest
from playwright.sync_api import expect
from tests.installation import installed

from perdure.client.client import Client


@pytest.fixture(scope="module")
def platform_url(embedded_url, tmp_path_factory):
    """Nothing but a worker."""
    with installed(embedded_url, tmp_path_factory.mktemp("new")) as made:
        made.work(PERDURE_RUN_NOTIFIER="false")
        yield made.serve(PERDURE_RUN_NOTIFIER="false").ready["url"]


def test_every_empty_screen_teaches(looks):
    for path in ("/", "/jobs", "/jobs/actions", "/notifications", "/schedules", "/queues", "/job-types"):
        looks(path, f"empty-{path.strip('/').replace('/', '-') or 'overview'}")
    for name in ("providers", "suppressions", "endpoints", "subscriptions"):
        looks(f"/notifications/{name}", f"empty-{name}")


def test_what_comes_first_is_noticed(contexts, platform_url):
    overview, jobs, notifications = (contexts().new_page() for _ in range(3))
    overview.goto("/")
    expect(overview.get_by_role("heading", name="No job was submitted yet")).to_be_visible()
    jobs.goto("/jobs")
    expect(jobs.get_by_text("curl http")).to_be_visible()
    notifications.goto("/notifications")
    with Client(platform_url) as client:
        client.submit("demo.sleep", {"seconds": 0}, context={"email": "ada@example.com"}, notifications={"email": {}})
    expect(overview.locator("#states")).to_be_visible()
    jobs.get_by_role("link", name="1 new job: show it").click()
    expect(jobs.locator("tbody tr")).to_have_count(1)
    notifications.get_by_role("link", name="1 new delivery: show it").click()
    expect(notifications.locator("tbody tr")).to_have_count(1)
