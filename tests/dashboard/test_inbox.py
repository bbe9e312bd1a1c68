"""The local inbox as a browser asks for it: whatever was caught is shown, and none of it does anything."""

import re

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from perdure.app import create_app
from perdure.core.waiting import FinishedJobs
from perdure.repositories.inbox_repository import InboxRepository

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>'
MAIL = {
    "from": {"email": "hello@example.com", "name": "Jobs"},
    "to": [{"email": "ada@example.com"}, {"email": "grace@example.com", "name": "Grace"}],
    "subject": "It succeeded",
    "text": "All is well.",
    "html": "<h1>All is well</h1>",
    "category": "job.success",
    "headers": {"X-Delivery-Id": "d1"},
    "custom_variables": {"delivery_id": "01980000-0000-7000-8000-000000000000"},
}


@pytest.fixture
def catch(platform):
    async def catch(mail):
        message_id = uuid7()
        async with platform.database.transaction() as connection:
            row = {"message_id": message_id, "inbox_id": "local", "received_at": platform.database.clock.now()}
            await InboxRepository(connection).add(row | {"mail": mail})
        return message_id

    return catch


async def test_the_first_visit_teaches_how_a_mail_comes(http):
    assert "No mail was sent yet" in (await http.get("/inbox")).text


async def test_a_mail_is_shown_as_it_was_received(http, catch):
    message_id = await catch(MAIL)
    listed = (await http.get("/inbox")).text
    assert f'href="/inbox/{message_id}"' in listed
    assert "to ada@example.com, Grace &lt;grace@example.com&gt;" in listed
    page = (await http.get(f"/inbox/{message_id}")).text
    assert f'<iframe src="/inbox/{message_id}/message" sandbox title="' in page
    assert 'href="/notifications/01980000-0000-7000-8000-000000000000"' in page
    frame = await http.get(f"/inbox/{message_id}/message")
    assert frame.text == MAIL["html"]
    assert frame.headers["content-security-policy"].startswith("sandbox; default-src 'none';")
    assert "frame-ancestors 'self'" in frame.headers["content-security-policy"]
    assert "All is well." in (await http.get(f"/inbox/{message_id}?part=text")).text
    headers = (await http.get(f"/inbox/{message_id}?part=headers")).text
    for said in ("Jobs &lt;hello@example.com&gt;", "X-Delivery-Id", "job.success", "It succeeded"):
        assert said in headers


async def test_whatever_was_caught_is_shown_as_text(http, catch):
    odd = [
        {"to": [{"email": HOSTILE, "name": HOSTILE}], "subject": HOSTILE, "text": HOSTILE, "html": HOSTILE},
        {"to": HOSTILE, "from": [], "subject": ["a", {}], "headers": [1], "custom_variables": HOSTILE, "html": None},
        {"to": [[], None, 3], "headers": {HOSTILE: {"a": HOSTILE}}, "custom_variables": {"delivery_id": HOSTILE}},
        {"to": [{"email": None}], "category": 7, "custom_variables": {"delivery_id": None}, "text": {"a": 1}},
    ]
    for mail in odd:
        message_id = await catch(mail)
        for path in ("", f"/{message_id}", f"/{message_id}?part=text", f"/{message_id}?part=headers"):
            page = await http.get(f"/inbox{path}")
            assert page.status_code == 200, (mail, path)
            assert "<script>alert" not in page.text
            assert "<img src=x" not in page.text
        assert (
            (await http.get(f"/inbox/{message_id}/message")).headers["content-security-policy"].startswith("sandbox;")
        )


async def test_the_inbox_is_paged_and_what_is_gone_is_a_404(http, catch, platform):
    made = [str(await catch(MAIL)) for _ in range(53)]
    first = (await http.get("/inbox")).text
    older = re.search(r'href="(/inbox\?before=[^"]+)"', first)[1]
    second = (await http.get(older)).text
    assert re.findall(r'data-row="([^"]+)"', first + second) == made[::-1]
    async with platform.database.transaction() as connection:
        await connection.execute(text("DELETE FROM perdure.inbox_messages"))
    assert (await http.get(f"/inbox/{made[0]}")).status_code == 404
    assert "No older mail" in (await http.get(older)).text


async def test_a_sent_mail_and_its_delivery_lead_to_each_other(http, catch, platform):
    message_id = await catch(MAIL)
    declared = {"context": {"email": "ada@example.com"}, "notifications": {"email": {"on": ["CANCELLED"]}}}
    job = (await http.post("/v1/jobs", json={"job_type": "demo.sleep"} | declared)).json()
    await http.post(f"/v1/jobs/{job['job_id']}/cancel")
    [delivery] = (await http.get(f"/v1/jobs/{job['job_id']}/deliveries")).json()["items"]
    for known_as, is_linked in ((str(message_id), True), ("m1", False), (delivery["delivery_id"], False)):
        async with platform.database.transaction() as connection:
            await connection.execute(
                text("UPDATE perdure.deliveries SET provider_message_id = :known_as"), {"known_as": known_as}
            )
        page = (await http.get(f"/notifications/{delivery['delivery_id']}")).text
        assert (f'href="/inbox/{message_id}"' in page) == is_linked


def test_where_there_is_no_inbox_there_is_no_page_of_it(platform):
    app = create_app(platform, FinishedJobs(platform.database, platform.wakeup), with_inbox=False)
    assert "/inbox" not in app.state.dashboard_paths
