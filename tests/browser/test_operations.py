"""Queues, workers and schedules as people use them."""

from playwright.sync_api import expect


def test_queues_and_workers_can_be_read_by_everybody(looks, data):
    looks("/queues", "queues")
    looks("/workers", "workers")
    looks("/schedules", "schedules")
    looks("/schedules/nightly-reindex", "schedule")
    looks("/schedules/month-end/edit", "schedule-edit")


def test_a_queue_is_paused_after_asking_and_resumed(page, data, check):
    page.goto("/queues")
    row = page.locator('[data-row="media"]')
    row.get_by_role("button", name="Pause media").click()
    dialog = page.get_by_role("dialog", name="Pause media?")
    check(page)
    dialog.get_by_role("button", name="Leave it").click()
    expect(dialog).to_be_hidden()
    row.get_by_role("button", name="Pause media").click()
    dialog.get_by_label("Why").fill("the disks are full")
    dialog.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_text("media is paused")).to_be_visible()
    expect(row).to_contain_text("by local: the disks are full")
    row.get_by_role("button", name="Resume media").click()
    page.get_by_role("dialog", name="Resume media?").get_by_role("button", name="Resume").click()
    expect(row.get_by_role("button", name="Pause media")).to_be_visible()


def test_a_queue_is_paused_without_scripts(contexts, data):
    page = contexts(java_script_enabled=False).new_page()
    page.goto("/queues")
    page.locator('[data-row="finance"]').get_by_role("button", name="Pause finance").click()
    page.get_by_role("dialog", name="Pause finance?").get_by_role("button", name="Pause", exact=True).click()
    expect(page.locator('[data-row="finance"]')).to_contain_text("Paused")
    page.locator('[data-row="finance"]').get_by_role("button", name="Resume finance").click()
    page.get_by_role("dialog", name="Resume finance?").get_by_role("button", name="Resume").click()
    expect(page.locator('[data-row="finance"]')).not_to_contain_text("Paused")


def test_workers_say_what_they_run(page, data):
    page.goto("/workers")
    expect(page.locator("tbody tr")).to_have_count(5)
    expect(page.locator('tbody [data-state="DRAINING"]')).to_have_count(1)
    expect(page.locator('tbody [data-state="GONE"]')).to_have_count(1)
    link = page.get_by_role("link", name="report.build")
    expect(link).to_have_attribute("href", f"/jobs/{data.running}")


def test_a_schedule_is_checked_made_and_deleted(page, data, check):
    page.goto("/schedules")
    page.get_by_role("link", name="New schedule").click()
    page.get_by_label("Name").fill("hourly-profile")
    page.get_by_label("Cron expression").fill("61 * * * *")
    page.get_by_label("Job, as JSON").fill('{"job_type": "search.reindex", "payload": {"index": "orders"}}')
    page.get_by_role("button", name="Only check").click()
    expect(page.get_by_label("Cron expression")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("is no cron expression")).to_be_visible()
    check(page)
    page.get_by_label("Cron expression").fill("1 * * * *")
    page.get_by_role("button", name="Only check").click()
    expect(page.get_by_role("heading", name="It would do")).to_be_visible()
    check(page)
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_text("hourly-profile is made.")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("hourly-profile is deleted.")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(4)


def test_a_schedule_is_paused_on_its_row_and_resumed_by_one_click(page, data, check):
    page.goto("/schedules")
    row = page.locator('[data-row="nightly-reindex"]')
    row.get_by_role("button", name="Pause nightly-reindex").click()
    check(page)
    page.get_by_role("dialog", name="Pause nightly-reindex?").get_by_role("button", name="Pause").click()
    expect(page.get_by_text("nightly-reindex is paused")).to_be_visible()
    expect(row.locator('[data-state="PAUSED"]')).to_be_visible()
    row.get_by_role("button", name="Resume nightly-reindex").click()
    expect(page.get_by_text("nightly-reindex goes on. Its next job comes")).to_be_visible()
    expect(row.get_by_role("button", name="Pause nightly-reindex")).to_be_visible()
