"""Signing in with a key, seeing what it lets one see, and going again."""

import re

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import press
from tests.browser.dataset import fill
from tests.databases import run_aside
from tests.installation import installed

from perdure.core.api_keys import ApiKeys
from perdure.db.session import Database
from perdure.db.url import DatabaseUrl
from perdure.models.api_key import Scope


@pytest.fixture(scope="module")
def keys(embedded_url, platform_url):
    """A key of each kind, by what it may; made once the platform runs, which notices within a second."""

    async def make():
        database = Database(DatabaseUrl.parse(embedded_url))
        try:
            await database.read_clock()
            made = ApiKeys(database)
            return {
                name: (await made.create(name, scopes)).token
                for name, scopes in (
                    ("looker", [Scope.READ]),
                    ("operator", [Scope.READ, Scope.OPERATE]),
                    ("submitter", [Scope.SUBMIT]),
                )
            }
        finally:
            await database.close()

    return run_aside(make())


@pytest.fixture(scope="module")
def platform_url(embedded_url, tmp_path_factory):
    with installed(embedded_url, tmp_path_factory.mktemp("with-keys")) as made:
        run_aside(fill(embedded_url))
        yield made.serve(PERDURE_RUN_NOTIFIER="false", PERDURE_RUN_PROMOTER="false").ready["url"]


def sign_in(page, token):
    page.goto("/jobs?status=FAILED")
    page.wait_for_url(re.compile("/sign-in"))
    page.get_by_label("API key").fill(token)
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture
def until_asked(keys, page):
    """The server asks for a key by now."""
    while "/sign-in" not in page.goto("/").url:
        pass


@pytest.mark.usefixtures("until_asked")
def test_the_page_can_be_read_by_everybody(looks):
    looks("/sign-in?next=/jobs", "sign-in")


@pytest.mark.usefixtures("until_asked")
def test_a_key_opens_what_it_may(page, keys, check):
    sign_in(page, "pdr_none")
    expect(page.get_by_text("This key is not known here")).to_be_visible()
    check(page)
    sign_in(page, keys["submitter"])
    expect(page.get_by_text("lacks the scope")).to_be_visible()
    sign_in(page, keys["looker"])
    expect(page).to_have_url(re.compile(r"/jobs\?status=FAILED"))
    expect(page.locator("[data-live-state]")).to_have_text("Live")
    expect(page.get_by_text("looker")).to_be_visible()
    expect(page.get_by_role("checkbox")).to_have_count(0)
    expect(page.get_by_role("button", name="Retry…")).to_have_count(0)
    press(page, "r")
    expect(page).to_have_url(re.compile(r"/jobs\?status=FAILED"))
    check(page)
    page.evaluate("document.cookie")
    assert "pdr_" not in page.evaluate("document.cookie")
    page.goto("/jobs/actions/new?action=retry")
    expect(page.get_by_role("heading", level=1, name="Forbidden")).to_be_visible()
    expect(page.get_by_text("lacks the scope `operate`")).to_be_visible()
    check(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/sign-in"))
    page.goto("/jobs")
    expect(page).to_have_url(re.compile("/sign-in"))


@pytest.mark.usefixtures("until_asked")
def test_who_may_operate_does(page, keys):
    sign_in(page, keys["operator"])
    page.locator("tbody tr").first.get_by_role("checkbox").check()
    page.get_by_role("button", name="Retry…").click()
    page.get_by_role("button", name="Retry 1 job").click()
    expect(page.get_by_text("1 job gets a new run.")).to_be_visible()


@pytest.mark.usefixtures("until_asked")
def test_a_link_in_a_mail_leads_there(contexts, keys):
    """The mail is another site: its link brings no cookie, and the page asks once more by itself."""
    context = contexts()
    page = context.new_page()
    sign_in(page, keys["looker"])
    expect(page).to_have_url(re.compile("/jobs"))
    address = page.url
    page.goto("about:blank")
    page.set_content(f'<a href="{address}">Look at the job</a>')
    page.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1, name="Jobs")).to_be_visible()
