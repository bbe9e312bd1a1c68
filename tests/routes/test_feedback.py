"""Mailtrap's webhook and the recipient's link over HTTP: both ask for a signature, and for nothing else."""

from uuid import UUID

import pytest
from pydantic import SecretStr
from tests.core.notifications.providers.test_mailtrap_feedback import SECRET, document, event, lines, signature
from tests.routes.test_deliveries import told

from perdure.core.api_keys import ApiKeys
from perdure.models.api_key import Scope

__all__ = ["told"]
WEBHOOK = "/v1/feedback/mailtrap"


@pytest.fixture
def settings(settings):
    changed = {
        "mailtrap_webhook_secret": SecretStr(f"older, {SECRET}"),
        "public_url": "https://jobs.example.com",
        "secret": SecretStr("a-secret-of-the-tests"),
    }
    return settings.model_copy(update=changed)


def now_of(platform):
    return int(platform.database.clock.now().timestamp())


def event_of(platform, delivery, kind="delivery", **changes):
    variables = {"delivery_id": delivery["delivery_id"], "job_id": delivery["job_id"]}
    return event(kind, timestamp=now_of(platform), custom_variables=variables, **changes)


async def post(http, body, **headers):
    return await http.post(WEBHOOK, content=body, headers={"Mailtrap-Signature": signature(body)} | headers)


async def get(http, delivery):
    return (await http.get(f"/v1/deliveries/{delivery['delivery_id']}")).json()


async def test_what_mailtrap_says_is_shown_with_the_delivery(http, platform, told):
    body = document(
        event_of(platform, told, event_id="1"),
        event_of(platform, told, "bounce", event_id="2", response="550 unknown user", response_code=550),
        event(custom_variables={}, event_id="3"),
    )
    first, again = await post(http, body), await post(http, body)
    assert [(one.status_code, one.json()) for one in (first, again)] == [(200, {"taken": 2}), (200, {"taken": 0})]
    shown = await get(http, told)
    assert shown["status"] == "BOUNCED"
    assert [(one["kind"], one["provider"]) for one in shown["feedback"]] == [
        ("delivered", "mailtrap"),
        ("bounced", "mailtrap"),
    ]
    [suppressed] = (await http.get("/v1/suppressions")).json()["items"]
    assert (suppressed["address"], suppressed["reason"]) == ("ada@example.com", "bounced")
    assert (suppressed["added_by"], suppressed["delivery_id"]) == ("mailtrap", told["delivery_id"])


async def test_json_lines_are_taken_and_no_key_is_asked_for(http, platform, told):
    await ApiKeys(platform.database).create("somebody", [Scope.ADMIN])
    body = lines(event_of(platform, told, event_id="1"), event_of(platform, told, "open", event_id="2"))
    answer = await post(http, body, **{"Content-Type": "application/jsonl"})
    assert (answer.status_code, answer.json()) == (200, {"taken": 2})


async def test_what_is_not_signed_or_too_large_is_refused(http, platform, told):
    body = document(event_of(platform, told))
    for headers in ({}, {"Mailtrap-Signature": signature(body, "wrong")}):
        answer = await http.post(WEBHOOK, content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await post(http, b"x" * 4_194_305)).status_code == 413
    assert (await post(http, b"[")).status_code == 422
    assert (await get(http, told))["feedback"] == []


async def test_without_a_secret_nothing_is_taken(http, told):
    http._transport.app.state.mailtrap_feedback.__init__([])
    answer = await post(http, document())
    assert (answer.status_code, "MAILTRAP_WEBHOOK_SECRET" in answer.json()["detail"]) == (404, True)


@pytest.fixture
def link(platform, told):
    return link_of(platform, told["delivery_id"])


def link_of(platform, delivery_id):
    return platform.unsubscribe_links.url(UUID(delivery_id)).removeprefix("https://jobs.example.com")


async def test_to_look_at_the_link_changes_nothing(http, told, link):
    page = await http.get(link)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "a***@e***.com" in page.text
    assert "ada@example.com" not in page.text
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert (await http.get("/v1/suppressions")).json()["items"] == []


async def test_one_click_unsubscribes_from_any_place_without_a_key(http, platform, told, link):
    token = (await ApiKeys(platform.database).create("reader", [Scope.READ])).token
    for _ in range(2):
        done = await http.post(
            link, data={"List-Unsubscribe": "One-Click"}, headers={"sec-fetch-site": "cross-site", "host": "elsewhere"}
        )
        assert (done.status_code, "Unsubscribed" in done.text) == (200, True)
    listed = await http.get("/v1/suppressions", headers={"authorization": f"Bearer {token}"})
    [suppressed] = listed.json()["items"]
    assert (suppressed["reason"], suppressed["added_by"]) == ("unsubscribed", "recipient")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_link_that_leads_nowhere_says_so(http, platform, link, method):
    nowhere = link_of(platform, "01980000-0000-7000-8000-000000000000")
    for path in (link[:-3] + "AAA", nowhere, "/v1/unsubscribe/x"):
        page = await http.request(method, path)
        assert (page.status_code, "not known" in page.text) == (404, True)
    assert (await http.get("/v1/suppressions")).json()["items"] == []
