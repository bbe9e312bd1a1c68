"""Webhook endpoints and subscriptions as people set them."""

import re

from playwright.sync_api import expect

SECRET = re.compile(r"^whsec_[A-Za-z0-9+/=]+$")


def test_an_endpoint_is_added_rotated_and_disabled(page, looks, check):
    page.goto("/notifications/endpoints")
    expect(page.get_by_role("heading", name="No endpoint has a name yet")).to_be_visible()
    check(page)
    page.get_by_label("Name").fill("billing")
    page.get_by_label("URL").fill("billing.example.com")
    page.get_by_role("button", name="Set it").click()
    expect(page.get_by_text("must be a URL such as")).to_be_visible()
    check(page)
    page.get_by_label("URL").fill("https://billing.example.com/hooks")
    page.get_by_role("button", name="Set it").click()
    expect(page.get_by_label("the secret", exact=True)).to_have_text(SECRET)
    check(page)
    looks("/notifications/endpoints", "endpoints")
    looks("/notifications/endpoints/billing", "endpoint")
    page.goto("/notifications/endpoints/billing")
    expect(page.get_by_text("whsec_")).to_have_count(0)
    page.get_by_role("button", name="Rotate").click()
    page.get_by_role("dialog", name="Give it a new secret?").get_by_role("button", name="Rotate").click()
    expect(page.get_by_label("the secret", exact=True)).to_have_text(SECRET)
    page.get_by_role("button", name="Disable").click()
    dialog = page.get_by_role("dialog", name="Disable this endpoint?")
    check(page)
    dialog.get_by_role("button", name="Disable it").click()
    expect(page.get_by_text("Somebody disabled it.")).to_be_visible()
    expect(page.get_by_role("button", name="Recover")).to_have_count(0)


def test_a_subscription_is_set_changed_and_deleted(page, looks, check):
    page.goto("/notifications/subscriptions")
    page.get_by_role("link", name="Add one").click()
    page.get_by_label("Name").fill("on-call")
    page.get_by_label("Whom to tell (JSON)").fill('{"email": {}}')
    page.get_by_role("button", name="Set it").click()
    expect(page.get_by_text("would tell nobody")).to_be_visible()
    check(page)
    page.get_by_label("Whom to tell (JSON)").fill('{"email": {"to": ["ops@example.com"]}}')
    page.get_by_role("button", name="Set it").click()
    expect(page.get_by_text("on-call is set: it holds from now on.")).to_be_visible()
    looks("/notifications/subscriptions", "subscriptions")
    looks("/notifications/subscriptions/set?name=on-call", "subscription-set")
    page.get_by_role("link", name="Change on-call").click()
    page.get_by_role("checkbox", name="Cancelled").check()
    page.get_by_role("button", name="Set it").click()
    expect(page.get_by_text("failure, cancelled of any job")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog", name="Delete on-call?").get_by_role("button", name="Delete it").click()
    expect(page.get_by_role("heading", name="Nobody subscribed")).to_be_visible()
