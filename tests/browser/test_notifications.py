"""Deliveries, providers and suppressions as people use them: found, understood, sent again, called off, mended."""

import re
from uuid import uuid4

from playwright.sync_api import expect
from tests.browser.conftest import numbers, press
from tests.browser.dataset import HOSTILE
from tests.browser.dataset_platform import MALLORY

from perdure.client import calls
from perdure.client.client import Client

ID = re.compile(r"/notifications/[0-9a-f-]{36}$")


def first_of(page, query):
    """Opens the newest delivery that matches."""
    page.goto(f"/notifications?{query}")
    page.locator("tbody a.row").first.click()
    expect(page).to_have_url(ID)
    return page.url


def is_framed(page):
    expect(page.frame_locator("iframe").get_by_role("heading", level=1)).to_be_visible()


def test_they_can_be_read_by_everybody(looks, page, data):
    looks("/notifications", "notifications")
    looks("/notifications?status=FAILED&channel=email", "notifications-filtered")
    looks("/notifications?recipient=nobody@example.com", "notifications-none")
    failed = first_of(page, "status=FAILED&channel=email&job_type=report.build")
    looks(failed, "delivery-failed", is_framed)
    looks(first_of(page, "status=RETRYING"), "delivery-waiting")
    looks(f"{failed}?part=headers", "delivery-headers")
    looks("/notifications/providers", "providers")
    looks("/notifications/suppressions", "suppressions")
    looks("/notifications/suppressions/new", "suppressions-new")


def test_filters_are_kept_in_the_address(page, data):
    page.goto("/notifications")
    page.get_by_role("navigation", name="States").get_by_role("link", name="Failed").click()
    expect(page).to_have_url(re.compile(r"/notifications\?status=FAILED$"))
    page.get_by_label("Channel").select_option("webhook")
    expect(page).to_have_url(re.compile(r"status=FAILED.*channel=webhook"))
    for badge in page.locator("tbody .badge").all():
        assert badge.inner_text().strip() == "Failed"
    page.get_by_text("More", exact=True).click()
    page.locator("#by-provider").select_option("webhook")
    page.get_by_role("button", name="Find").click()
    expect(page).to_have_url(re.compile("provider=webhook"))
    page.get_by_title("Leave this filter out").filter(has_text="channel").click()
    expect(page).not_to_have_url(re.compile("channel=webhook"))
    page.get_by_label("Recipient").fill("ada@example.com")
    press(page, "Enter")
    expect(page).to_have_url(re.compile("recipient=ada%40example.com"))


def test_recipients_are_masked(page, data):
    page.goto("/notifications?recipient=ada@example.com")
    rows = page.locator("tbody tr")
    assert rows.count() > 3
    expect(rows.first).to_contain_text("a***@e***.com")
    assert "ada@example.com" not in page.locator("tbody").inner_text()
    rows.first.locator("a.row").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("To a***@e***.com")
    assert "ada@example.com" not in page.content()


def test_it_is_opened_by_keyboard_and_its_message_is_seen_in_each_form(page, data):
    page.goto("/notifications?status=DELIVERED&job_type=digest.send")
    press(page, "j")
    press(page, "Enter")
    expect(page).to_have_url(ID)
    expect(page.get_by_text("Arrived", exact=True)).to_be_visible()
    expect(page.frame_locator("iframe").get_by_role("heading", name="digest.send")).to_be_visible()
    parts = page.get_by_role("navigation", name="Parts of the message")
    parts.get_by_role("link", name="Text").click()
    expect(page.get_by_label("the text", exact=True)).to_contain_text("digest.send")
    parts.get_by_role("link", name="Headers").click()
    expect(page.get_by_text("X-Delivery-Id")).to_be_visible()
    page.get_by_role("link", name="Notifications", exact=True).last.click()
    expect(page).to_have_url(re.compile("/notifications$"))


def test_resend_and_call_off_ask_first(page, data, check):
    ended = first_of(page, "status=BOUNCED")
    press(page, "r")
    dialog = page.get_by_role("dialog", name="Send it again?")
    expect(dialog).to_be_visible()
    check(page)
    dialog.get_by_role("button", name="Leave it").click()
    expect(dialog).to_be_hidden()
    press(page, "r")
    dialog.get_by_role("button", name="Send it again").click()
    expect(page.get_by_text("It is sent again, as this delivery.")).to_be_visible()
    expect(page.locator("#delivery-head .badge")).to_have_text("Pending")
    assert page.url != ended
    press(page, "c")
    dialog = page.get_by_role("dialog", name="Call it off?")
    check(page)
    dialog.get_by_role("button", name="Call it off").click()
    expect(page.get_by_text("It is called off: nothing is sent.")).to_be_visible()
    expect(page.locator("#delivery-head .badge")).to_have_text("Cancelled")
    page.locator("#facts").get_by_role("link", name="…").last.click()
    expect(page).to_have_url(ended)


def test_hostile_texts_show_as_text(page, data, check):
    first_of(page, f"recipient={MALLORY}&status=FAILED")
    expect(page.locator("#story")).to_contain_text(f"could not read {HOSTILE}")
    page.get_by_text("What it answered").click()
    expect(page.locator(".excerpt")).to_contain_text(HOSTILE)
    assert page.locator("main img, main script").count() == 0
    frame = page.frame_locator("iframe")
    expect(frame.locator("body")).to_contain_text(HOSTILE)
    assert frame.locator("img, script").count() == 0
    check(page)
    page.get_by_role("navigation", name="Parts of the message").get_by_role("link", name="Text").click()
    expect(page.get_by_label("the text", exact=True)).to_contain_text(HOSTILE)


def test_a_provider_that_refuses_us_is_resumed(page, data, check):
    page.goto("/notifications")
    page.locator("#troubled").get_by_role("link", name="slack").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Providers")
    expect(page.locator("#providers")).to_contain_text("Slack answered 403: invalid_token")
    page.get_by_role("button", name="Resume").click()
    dialog = page.get_by_role("dialog", name="Call slack again?")
    check(page)
    dialog.get_by_role("button", name="Resume it").click()
    expect(page.get_by_text("slack is called again: what waits for it is sent.")).to_be_visible()
    expect(page.get_by_role("button", name="Resume")).to_have_count(0)
    page.goto("/notifications")
    expect(page.locator("#troubled")).to_be_hidden()


def test_addresses_are_suppressed_and_taken_off(page, data, check):
    page.goto("/notifications/suppressions")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(3)
    page.get_by_role("link", name="Suppress addresses").click()
    page.get_by_label("Addresses").fill("one@example.com\ntwo")
    page.get_by_label("Note").fill("asked us by telephone")
    page.get_by_role("button", name="Suppress them").click()
    expect(page.get_by_text("Number 2 of them must be a bare e-mail address")).to_be_visible()
    check(page)
    expect(page.get_by_label("Note")).to_have_value("asked us by telephone")
    page.get_by_label("Addresses").fill("one@example.com\ngone@example.com")
    page.get_by_role("button", name="Suppress them").click()
    expect(page.get_by_text("1 address is suppressed from now on. 1 were listed before.")).to_be_visible()
    expect(rows).to_have_count(4)
    page.get_by_label("A whole address").fill("ONE@example.com")
    press(page, "Enter")
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="Take off one@example.com").click()
    dialog = page.get_by_role("dialog", name="Take it off the list?")
    expect(dialog).to_contain_text("one@example.com is told again from now on.")
    check(page)
    dialog.get_by_role("button", name="Take it off").click()
    expect(page.get_by_text("It is off the list")).to_be_visible()
    expect(rows).to_have_count(3)


def test_it_can_be_read_and_acted_on_without_scripts(contexts, data):
    page = contexts(java_script_enabled=False).new_page()
    first_of(page, "status=SENT&channel=webhook")
    page.get_by_role("navigation", name="Parts of the message").get_by_role("link", name="Facts").click()
    expect(page.get_by_label("what it tells of the job", exact=True)).to_contain_text("customer.sync")
    page.get_by_role("button", name="Resend").click()
    page.get_by_role("dialog", name="Send it again?").get_by_role("button", name="Send it again").click()
    expect(page.get_by_text("It is sent again, as this delivery.")).to_be_visible()


def test_rows_change_where_they_are_and_new_ones_are_announced(page, data, platform_url):
    page.goto("/notifications?event=SUCCESS&status=DELIVERED")
    newest = page.locator("tbody tr").first.get_attribute("data-row")
    page.goto("/notifications?status=RETRYING")
    waiting = page.locator("tbody tr")
    before = waiting.evaluate_all("(rows) => rows.map((row) => row.dataset.row)")
    with Client(platform_url) as client:
        client.call(calls.cancel_delivery(before[0]))
        expect(waiting.first.locator(".badge")).to_have_text("Cancelled")
        assert waiting.evaluate_all("(rows) => rows.map((row) => row.dataset.row)") == before
        page.goto("/notifications?event=SUCCESS")
        press(page, "p")
        expect(page.locator("[data-live-state]")).to_have_text("Paused")
        again = client.call(calls.resend_delivery(newest, str(uuid4())))["delivery_id"]
        press(page, "p")
        page.get_by_role("link", name="1 new delivery: show it").click()
    expect(page.locator("tbody tr").first).to_have_attribute("data-row", again)


def test_all_that_match_are_sent_again_batch_by_batch(page, data, looks, check):
    looks("/notifications/resend?status=FAILED", "notifications-resend")
    page.goto("/notifications?status=FAILED&channel=email")
    press(page, "r")
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(re.compile(r"Send \d+ deliveries again\?"))
    [expected] = numbers(heading.inner_text())
    page.get_by_role("button", name=f"Send {expected} deliveries again").click()
    expect(page.locator("#advance .badge")).to_have_text("Done")
    expect(page.locator(".figure-line")).to_have_text(re.compile(f"^{expected} sent again"))
    check(page)
    page.goto("/notifications/resend?status=FAILED&channel=email")
    expect(page.get_by_role("button", name="Send 0 deliveries again")).to_be_disabled()


def test_scripts_send_the_next_batches_until_there_are_none(page, data):
    address = "/notifications/resend/advance?status=BOUNCED&walked=500&done=500&of=1500"
    rest = "&rest=ffffffff-ffff-ffff-ffff-ffffffffffff"
    page.goto(address + rest)
    expect(page.locator("#advance .badge")).to_have_text("Done")
    assert "rest=" not in page.url
    assert numbers(page.locator(".figure-line").inner_text())[0] >= 500
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
