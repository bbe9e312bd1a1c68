"""The audit is listed page by page. Sending again: a further row that names the first, where somebody can be told."""

import asyncio

import pytest
from sqlalchemy import text

ASKED = {"context": {"email": "ada@example.com"}, "notifications": {"email": {"on": ["CANCELLED"]}}}

FAIL_FIVE = """
    INSERT INTO perdure.deliveries
        (delivery_id, job_id, run, event, channel, provider, recipient, status, reason, attempts, fence, snapshot,
         created_at, finished_at)
    SELECT overlay(delivery_id::text PLACING lpad(number::text, 12, '0') FROM 25)::uuid, job_id, 1 + number, event,
           channel, provider,
           CASE WHEN number > 1 THEN recipient END, status, reason, 1, 1, snapshot, created_at, finished_at
    FROM perdure.deliveries, generate_series(1, 5) AS number
"""


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


@pytest.mark.parametrize("verb", ["resend", "cancel"])
async def test_a_delivery_that_is_not_there_is_a_404(http, verb):
    answer = await http.post(f"/v1/deliveries/01980000-0000-7000-8000-000000000000/{verb}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("DELIVERED", None),
        ("BOUNCED", "hard"),
        ("SUPPRESSED", "complaint"),
        ("CANCELLED", "called_off"),
        ("FAILED", "expired"),
    ],
)
async def test_whatever_has_ended_and_has_a_recipient_is_sent_again(http, platform, told, status, reason):
    reason = "NULL" if reason is None else f"'{reason}'"
    await execute(platform, f"UPDATE perdure.deliveries SET status = '{status}', reason = {reason}")
    assert (await http.post(f"/v1/deliveries/{told['delivery_id']}/resend")).status_code == 201


async def test_under_a_key_a_resend_is_one_however_often_it_is_asked(http, platform, told):
    path = f"/v1/deliveries/{told['delivery_id']}/resend"
    answers = await asyncio.gather(*(http.post(path, headers={"Idempotency-Key": "k"}) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len({answer.json()["delivery_id"] for answer in answers}) == 1
    assert {answer.headers.get("idempotent-replayed") for answer in answers} == {None, "true"}
    again = answers[0].json()["delivery_id"]
    other = await http.post(f"/v1/deliveries/{again}/resend", headers={"Idempotency-Key": "k"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    await execute(platform, f"DELETE FROM perdure.deliveries WHERE delivery_id = '{again}'")
    gone = await http.post(path, headers={"Idempotency-Key": "k"})
    assert (gone.status_code, gone.json()["code"]) == (409, "replayed_delivery_removed")


async def test_a_key_is_for_one_request(http, told):
    key = {"Idempotency-Key": "k"}
    await http.post(f"/v1/deliveries/{told['delivery_id']}/resend", headers=key)
    job = await http.post("/v1/jobs", json={"job_type": "demo.sleep"}, headers=key)
    assert (job.status_code, job.json()["code"]) == (422, "idempotency_key_reused")
    assert "resend_of" in job.json()["fields"]


@pytest.mark.parametrize("status", ["PENDING", "RETRYING"])
async def test_one_that_waits_is_called_off_once(http, platform, told, status):
    await execute(
        platform, f"UPDATE perdure.deliveries SET status = '{status}', next_attempt_at = now(), finished_at = NULL"
    )
    path = f"/v1/deliveries/{told['delivery_id']}/cancel"
    answers = await asyncio.gather(*(http.post(path) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    cancelled = (await http.get(f"/v1/deliveries/{told['delivery_id']}")).json()
    assert (cancelled["status"], cancelled["reason"], cancelled["next_attempt_at"]) == ("CANCELLED", "called_off", None)
    assert cancelled["explanation"].startswith("It was called off at ")


async def test_what_is_being_sent_or_was_is_not_called_off(http, platform, told):
    path = f"/v1/deliveries/{told['delivery_id']}/cancel"
    answer = await http.post(path)
    assert (answer.status_code, "SENT already" in answer.json()["detail"]) == (409, True)
    await execute(
        platform, "UPDATE perdure.deliveries SET status = 'SENDING', next_attempt_at = now(), finished_at = NULL"
    )
    answer = await http.post(path)
    assert (answer.status_code, "under way" in answer.json()["detail"]) == (409, True)


async def test_a_delivery_says_why_it_stands_so_wherever_it_is_shown(http, platform, told):
    await execute(
        platform,
        "INSERT INTO perdure.delivery_attempts (delivery_id, number, started_at, duration_ms, provider, verdict,"
        f" status_code, message) VALUES ('{told['delivery_id']}', 1, now(), 1, 'p', 'permanent', 422,"
        " 'from is refused'),"
        f" ('{told['delivery_id']}', 2, now(), 1, 'p', 'accepted', 200, NULL)",
    )
    await execute(platform, "UPDATE perdure.deliveries SET status = 'FAILED', reason = 'permanent'")
    one = (await http.get(f"/v1/deliveries/{told['delivery_id']}")).json()
    assert one["last_error"] == "422 from is refused"
    assert "(the last: 422 from is refused)" in one["explanation"]
    [listed] = (await http.get("/v1/deliveries", params={"recipient": "ada@example.com"})).json()["items"]
    [of_job] = (await http.get(f"/v1/jobs/{told['job_id']}/deliveries")).json()["items"]
    explained = (await http.get(f"/v1/jobs/{told['job_id']}/explain")).json()["reasons"][1]["message"]
    assert listed == of_job
    assert explained == f"By email to a***@e***.com: FAILED. {one['explanation']}"
    assert listed["explanation"] == one["explanation"]


@pytest.mark.parametrize(
    "query",
    [{"recipient": "\x00"}, {"job_id": "x"}, {"status": "LOST"}, {"colour": "red"}, {"created_after": "yesterday"}],
)
async def test_a_filter_that_cannot_be_is_refused(http, query):
    answer = await http.get("/v1/deliveries", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_all_that_failed_are_sent_again_once_however_often_it_is_asked(http, platform, told, monkeypatch):
    monkeypatch.setattr("perdure.core.delivery_commands.BATCH", 2)
    await execute(platform, "UPDATE perdure.deliveries SET status = 'FAILED', reason = 'exhausted'")
    await execute(platform, FAIL_FIVE)
    asked = {"filter": {"status": ["FAILED"], "provider": "mailtrap"}}
    dry = (await http.post("/v1/deliveries/resend", json=asked, params={"dry_run": True})).json()
    assert (dry["matched"], dry["next_cursor"] is None) == (2, False)

    async def resend_all() -> int:
        resent, cursor = 0, {}
        while True:
            batch = (await http.post("/v1/deliveries/resend", json=asked, params=cursor)).json()
            resent += batch["resent"]
            if batch["next_cursor"] is None:
                return resent
            cursor = {"cursor": batch["next_cursor"]}

    assert sum(await asyncio.gather(*(resend_all() for _ in range(3)))) == 5, "one has nobody to be sent to"
    assert await resend_all() == 0
    waiting = (await http.get("/v1/deliveries", params={"status": "PENDING"})).json()["items"]
    assert len({one["resend_of"] for one in waiting}) == len(waiting) == 5


@pytest.mark.parametrize("status", [[], ["PENDING"], ["FAILED", "SENDING"]])
async def test_what_to_send_again_is_named_by_states_that_have_ended(http, status):
    answer = await http.post("/v1/deliveries/resend", json={"filter": {"status": status, "provider": "mailtrap"}})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
