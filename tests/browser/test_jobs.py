"""The list of jobs as people use it: found, selected, acted on; by mouse and by keyboard."""

import re

from playwright.sync_api import expect
from tests.browser.conftest import numbers, press
from tests.browser.dataset import HOSTILE


def test_the_list_can_be_read_by_everybody(looks, data):
    looks("/jobs", "jobs")
    looks("/jobs?status=FAILED&job_type=invoice.render&age=24h", "jobs-filtered")
    looks("/jobs/actions/new?action=retry&status=FAILED", "jobs-retry")
    looks("/jobs?tag=nobody", "jobs-none")


def test_filters_are_kept_in_the_address(page, data):
    page.goto("/jobs")
    page.get_by_role("link", name="Failed").click()
    expect(page).to_have_url(re.compile(r"/jobs\?status=FAILED$"))
    page.get_by_label("Type").select_option("invoice.render")
    expect(page).to_have_url(re.compile(r"status=FAILED.*job_type=invoice\.render"))
    rows = page.locator("tbody tr")
    assert rows.count() > 3
    for badge in rows.locator(".badge").all():
        assert badge.inner_text().strip() == "Failed"
    page.get_by_text("More", exact=True).click()
    page.get_by_label("User").fill("user-2210")
    page.get_by_role("button", name="Find").click()
    expect(page).to_have_url(re.compile("user_id=user-2210"))
    page.get_by_title("Leave this filter out").filter(has_text="type").click()
    expect(page).not_to_have_url(re.compile("job_type"))
    page.go_back()
    expect(page).to_have_url(re.compile("job_type"))


def test_a_group_of_errors_leads_to_its_jobs(page, data):
    page.goto("/")
    group = page.locator("#failures tbody tr", has_text="TemplateError")
    expect(group.locator("td.number").first).to_have_text(str(data.failed_in_group))
    group.get_by_role("link", name="TemplateError", exact=True).click()
    expect(page).to_have_url(re.compile(f"error_group={data.group}"))
    expect(page.locator("tbody tr")).to_have_count(data.failed_in_group)


def test_pages_are_walked_by_key(page, data):
    page.goto("/jobs?status=SUCCEEDED")
    first = page.locator("tbody tr").first.get_attribute("data-row")
    page.get_by_role("link", name="Older").click()
    expect(page.locator(f'[data-row="{first}"]')).to_have_count(0)
    page.get_by_role("link", name="Newest").click()
    expect(page.locator("tbody tr").first).to_have_attribute("data-row", first)


def test_rows_are_walked_selected_and_cancelled_by_keyboard(page, data):
    page.goto("/jobs?status=SCHEDULED")
    rows = page.locator("tbody tr")
    total = rows.count()
    press(page, "j")
    expect(rows.nth(0)).to_have_attribute("aria-current", "true")
    press(page, "j")
    press(page, "x")
    expect(rows.nth(1).get_by_role("checkbox")).to_be_checked()
    expect(page.get_by_text("1 selected")).to_be_visible()
    chosen = rows.nth(1).get_attribute("data-row")
    press(page, "c")
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancel 1 job?")
    page.get_by_role("link", name="Leave them").click()
    expect(page).to_have_url(re.compile(r"status=SCHEDULED$"))
    expect(rows).to_have_count(total)
    page.goto(f"/jobs/actions/new?action=cancel&status=SCHEDULED&job_id={chosen}")
    page.get_by_role("button", name="Cancel 1 job").click()
    expect(page.get_by_text("1 job is cancelled, or asked to stop.")).to_be_visible()
    expect(rows).to_have_count(total - 1)
    page.reload()
    expect(page.get_by_text("1 job is cancelled")).to_have_count(0)


def test_all_that_match_are_retried_and_followed(page, data, check):
    page.goto("/jobs?status=FAILED&job_type=report.build")
    expected = page.locator("tbody tr").count()
    press(page, "r")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Retry {expected} jobs?")
    page.get_by_label("Why").fill("the font is back")
    page.get_by_role("button", name=f"Retry {expected} jobs").click()
    expect(page.locator("#action .badge")).to_have_text("Done")
    assert numbers(page.locator(".figure-line").inner_text())[0] == expected
    check(page)
    page.goto("/jobs/actions")
    expect(page.get_by_text("the font is back")).to_be_visible()
    check(page)
    page.goto("/jobs?status=FAILED&job_type=report.build")
    expect(page.get_by_role("heading", name="No job matches")).to_be_visible()


def test_hostile_jobs_show_as_text(page, data):
    page.goto("/jobs?job_type=csv.profile&status=FAILED")
    row = page.locator(f'[data-row="{data.hostile}"]')
    expect(row).to_contain_text(HOSTILE)
    assert page.locator("main img, main script").count() == 0


def test_it_can_be_read_and_acted_on_without_scripts(contexts, data):
    page = contexts(java_script_enabled=False).new_page()
    page.goto("/jobs?status=QUEUED&job_type=ledger.close")
    expect(page.locator("tbody tr")).to_have_count(3)
    page.locator("tbody tr").first.get_by_role("checkbox").check()
    page.get_by_role("button", name="Cancel…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancel 1 job?")
    page.get_by_role("button", name="Cancel 1 job").click()
    expect(page.get_by_text("1 job is cancelled")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(2)
