"""A job's page as people use it."""

import re

from playwright.sync_api import expect
from tests.browser.conftest import press
from tests.browser.dataset import HOSTILE


def test_it_can_be_read_by_everybody(looks, data):
    looks(f"/jobs/{data.failed}", "job-failed")
    looks(f"/jobs/{data.running}", "job-running")
    looks(f"/jobs/{data.hostile}/edit", "job-edit")


def test_it_is_opened_from_the_list_by_keyboard(page, data):
    page.goto("/jobs?status=RUNNING")
    press(page, "j")
    press(page, "Enter")
    expect(page).to_have_url(re.compile(r"/jobs/[0-9a-f-]{36}$"))
    expect(page.get_by_role("heading", name="What happened")).to_be_visible()
    expect(page.locator("[data-live-state]")).to_have_text("Live")
    press(page, "g")
    press(page, "j")
    expect(page).to_have_url(re.compile(r"/jobs$"))


def test_retry_and_cancel_ask_first(page, data, check):
    page.goto(f"/jobs/{data.scheduled}")
    press(page, "c")
    dialog = page.get_by_role("dialog", name="Cancel this job?")
    expect(dialog).to_be_visible()
    check(page)
    dialog.get_by_role("button", name="Leave it").click()
    expect(dialog).to_be_hidden()
    press(page, "c")
    dialog.get_by_role("button", name="Cancel the job").click()
    expect(page.get_by_text("It is cancelled.")).to_be_visible()
    expect(page.locator("#job-head .badge")).to_have_text("Cancelled")
    press(page, "r")
    dialog = page.get_by_role("dialog", name="Run it again?")
    dialog.get_by_role("button", name="Retry").click()
    expect(page.get_by_text("A new run is opened.")).to_be_visible()
    expect(page.locator("#job-head .badge")).to_have_text("Queued")
    expect(page.get_by_role("heading", name="Why it waits")).to_be_visible()


def test_a_copy_is_edited(page, data):
    page.goto(f"/jobs/{data.succeeded}")
    page.get_by_role("link", name="Duplicate and edit").click()
    page.get_by_label("Payload (JSON)").fill('{"report": 3}')
    page.get_by_role("button", name="Submit the copy").click()
    expect(page.get_by_text(re.compile("^payload.report: "))).to_be_visible()
    expect(page.get_by_label("Payload (JSON)")).to_have_value('{"report": 3}')
    page.get_by_label("Payload (JSON)").fill('{"report": "costs", "days": 7}')
    page.get_by_role("button", name="Submit the copy").click()
    expect(page.get_by_text("A copy was submitted; this is it.")).to_be_visible()
    expect(page.get_by_label("the payload", exact=True)).to_contain_text('"costs"')


def test_json_is_copied(contexts, data):
    context = contexts()
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"/jobs/{data.succeeded}")
    page.get_by_role("button", name="Copy the payload").click()
    expect(page.get_by_title("Copied")).to_be_visible()
    assert '"report": "revenue"' in page.evaluate("navigator.clipboard.readText()")


def test_hostile_jobs_show_as_text(page, data):
    page.goto(f"/jobs/{data.hostile}")
    expect(page.get_by_label("the payload", exact=True)).to_contain_text("<img src=x onerror=alert(1)>")
    expect(page.locator("#story")).to_contain_text(HOSTILE)
    expect(page.get_by_label("the traceback", exact=True)).to_contain_text(HOSTILE)
    assert page.locator("main img, main script, main b script").count() == 0


def test_it_can_be_read_without_scripts(contexts, data):
    page = contexts(java_script_enabled=False).new_page()
    page.goto(f"/jobs/{data.failed}")
    expect(page.locator("#story")).to_contain_text("Attempt 4 failed")
    page.locator("summary", has_text="lines of its log").click()
    expect(page.locator("#story")).to_contain_text("reading 12 tables")
