"""The audit is listed page by page. Sending again: a further row that names the first, where somebody can be told."""

import asyncio

import pytest
from sqlalchemy import text

ASKED = {"context": {"email": "ada@example.com"}, "notifications": {"email": {"on": ["CANCELLED"]}}}


@pytest.fixture
async def told(http, platform):
    """A delivery that was sent."""
    job = (await http.post("/v1/jobs", json={"job_type": "demo.sleep"} | ASKED)).json()
    await http.post(f"/v1/jobs/{job['job_id']}/cancel")
    await execute(
        platform,
        "UPDATE perdure.deliveries SET status = 'SENT', next_attempt_at = NULL, finished_at = now(), attempts = 2,"
        " provider_message_id = 'm1'",
    )
    [delivery] = (await http.get(f"/v1/jobs/{job['job_id']}/deliveries")).json()["items"]
    return delivery


async def execute(platform, statement):
    async with platform.database.transaction() as connection:
        return await connection.execute(text(statement))


async def test_the_list_pages_through_everything_newest_first(http, told):
    resent = [(await http.post(f"/v1/deliveries/{told['delivery_id']}/resend")).json() for _ in range(2)]
    first = (await http.get("/v1/deliveries", params={"limit": 2})).json()
    last = (await http.get("/v1/deliveries", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert first["items"] == resent[::-1]
    assert last == {"items": [told], "next_cursor": None}
    assert (await http.get("/v1/deliveries", params={"status": "SENT"})).json()["items"] == [told]


async def test_a_resend_is_a_further_delivery_of_the_same(http, platform, told):
    answer = await http.post(f"/v1/deliveries/{told['delivery_id']}/resend")
    again = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, f"/v1/deliveries/{again['delivery_id']}")
    assert again["delivery_id"] != told["delivery_id"]
    assert (again["status"], again["attempts"], again["provider_message_id"]) == ("PENDING", 0, None)
    same = ("job_id", "run", "event", "channel", "recipient")
    assert [again[name] for name in same] == [told[name] for name in same]
    snapshots = await execute(platform, "SELECT count(DISTINCT snapshot), count(*) FROM perdure.deliveries")
    assert snapshots.one() == (1, 2)
    listed = (await http.get(f"/v1/jobs/{told['job_id']}/deliveries")).json()["items"]
    assert listed == [told, again]


async def test_a_chain_names_its_first_and_two_at_once_are_two(http, platform, told):
    path = f"/v1/deliveries/{told['delivery_id']}/resend"
    answers = await asyncio.gather(*(http.post(path) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [201] * 3
    assert len({answer.json()["delivery_id"] for answer in answers}) == 3
    await execute(
        platform,
        "UPDATE perdure.deliveries SET status = 'FAILED', reason = 'x', next_attempt_at = NULL,"
        " finished_at = now() WHERE resend_of IS NOT NULL",
    )
    third = await http.post(f"/v1/deliveries/{answers[0].json()['delivery_id']}/resend")
    assert third.json()["resend_of"] == told["delivery_id"]


@pytest.mark.parametrize("status", ["PENDING", "SENDING", "RETRYING"])
async def test_what_is_under_way_is_not_sent_again(http, platform, told, status):
    await execute(
        platform, f"UPDATE perdure.deliveries SET status = '{status}', next_attempt_at = now(), finished_at = NULL"
    )
    answer = await http.post(f"/v1/deliveries/{told['delivery_id']}/resend")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert status in answer.json()["detail"]


async def test_what_was_skipped_is_sent_again_only_if_there_is_a_recipient(http, platform, told):
    path = f"/v1/deliveries/{told['delivery_id']}/resend"
    await execute(platform, "UPDATE perdure.deliveries SET status = 'SKIPPED', reason = 'provider_not_configured'")
    assert (await http.post(path)).status_code == 201
    await execute(platform, "DELETE FROM perdure.deliveries WHERE resend_of IS NOT NULL")
    await execute(platform, "UPDATE perdure.deliveries SET reason = 'channel_disabled', recipient = NULL")
    answer = await http.post(path)
    assert (answer.status_code, "channel_disabled" in answer.json()["detail"]) == (409, True)


async def test_a_delivery_that_is_not_there_is_a_404(http):
    answer = await http.post("/v1/deliveries/01980000-0000-7000-8000-000000000000/resend")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
