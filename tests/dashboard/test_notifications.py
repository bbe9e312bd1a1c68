"""The deliveries as a browser asks for them: found, looked at, sent again, called off; nothing in them is markup."""

import re
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from tests.repositories.test_plans import sent

from perdure.core.api_keys import ApiKeys
from perdure.core.browsers import SESSION_COOKIE
from perdure.dashboard.delivery_story import KINDS, VERDICTS
from perdure.dashboard.pages.notifications import PAGE, TABS
from perdure.dashboard.states import TONES
from perdure.models.api_key import Scope
from perdure.models.delivery import DeliveryStatus, Verdict
from perdure.models.feedback import FeedbackKind
from perdure.repositories import delivery_counts

OURS = {"sec-fetch-site": "same-origin"}
HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>'
ADA = "ada.lovelace@example.com"
MANY = """
    INSERT INTO perdure.deliveries
        (delivery_id, job_id, run, event, channel, destination, provider, recipient, status, reason, attempts, fence,
         snapshot, created_at, finished_at, next_attempt_at)
    SELECT overlay(delivery_id::text PLACING lpad(number::text, 12, '0') FROM 25)::uuid, job_id, 1 + number, event,
           channel, '', provider, recipient, status, reason, 1, 1, snapshot, created_at, finished_at, next_attempt_at
    FROM perdure.deliveries, generate_series(1, {}) AS number
"""
TRY = """
    INSERT INTO perdure.delivery_attempts (delivery_id, number, started_at, duration_ms, provider, verdict, status_code,
        error_type, message, provider_message_id, response_excerpt)
    SELECT delivery_id, 1, created_at, 1200, provider, 'permanent', 422, CAST(:hostile AS text), :hostile, :hostile,
        'answer ' || :hostile FROM perdure.deliveries
"""
SAID = """
    INSERT INTO perdure.delivery_feedback (delivery_id, event_id, provider, kind, occurred_at, received_at, detail)
    SELECT delivery_id, 'e1', provider, 'bounced', now(), now(), '550 ' || :hostile FROM perdure.deliveries
"""


async def execute(platform, statement, **parameters):
    async with platform.database.transaction() as connection:
        return await connection.execute(text(statement), parameters)


async def tell(http, email=ADA, **fields):
    """The job and the one delivery of its cancellation, which waits."""
    declared = {"context": {"email": email}, "notifications": {"email": {"on": ["CANCELLED"]}}}
    job = (await http.post("/v1/jobs", json={"job_type": "demo.sleep"} | declared | fields)).json()
    await http.post(f"/v1/jobs/{job['job_id']}/cancel")
    [delivery] = (await http.get(f"/v1/jobs/{job['job_id']}/deliveries")).json()["items"]
    return delivery


async def end(platform, status="SENT", reason=None):
    await execute(
        platform,
        "UPDATE perdure.deliveries SET status = :status, reason = CAST(:reason AS text), next_attempt_at = NULL,"
        " finished_at = now(), attempts = 1 WHERE finished_at IS NULL",
        status=status,
        reason=reason,
    )


def rows(html):
    return re.findall(r'data-row="([0-9a-f-]{36})"', html)


def once_of(html):
    return re.search(r'name="once" value="([^"]+)"', html)[1]


async def test_the_first_visit_teaches_how_somebody_is_told(http):
    page = (await http.get("/notifications")).text
    assert "Nobody was to be told of anything yet" in page
    assert "No delivery matches" in (await http.get("/notifications?channel=email")).text


async def test_what_is_chosen_stands_in_the_address(http, platform):
    mine = await tell(http)
    await end(platform)
    other = await tell(http, "grace@example.com")
    for chosen in (
        f"recipient={ADA}",
        f"job_id={mine['job_id']}",
        "status=SENT",
        f"recipient={ADA}&channel=email&provider=mailtrap&event=CANCELLED&job_type=demo.sleep&age=1h",
    ):
        assert rows((await http.get(f"/notifications?{chosen}")).text) == [mine["delivery_id"]], chosen
    page = (await http.get("/notifications?channel=email&event=CANCELLED")).text
    assert rows(page) == [other["delivery_id"], mine["delivery_id"]]
    assert 'href="/notifications?event=CANCELLED"' in page  # without the channel
    assert re.search(r'Pending <span class="count">1</span>', page)
    assert re.search(r'Sent <span class="count">1</span>', page)
    for none in ("event=SUCCESS", "recipient=ada", "created_before=2020-01-01T00:00", "provider=slack"):
        assert rows((await http.get(f"/notifications?{none}")).text) == [], none


async def test_pages_are_linked_newest_first_and_counted_up_to_a_limit(http, platform, monkeypatch):
    monkeypatch.setattr(delivery_counts, "COUNTED_IN_ALL", 500)
    await tell(http)
    await end(platform)
    await execute(platform, MANY.format(600))
    first = (await http.get("/notifications")).text
    assert len(rows(first)) == PAGE
    [counted] = re.findall(r'Sent <span class="count">(\d+)\+</span>', first)
    assert int(counted) <= 500
    second = (await http.get(re.search(r'href="(/notifications\?before=[^"]+)"', first)[1])).text
    assert rows(first) + rows(second) == sorted({*rows(first), *rows(second)}, reverse=True)
    assert len(rows(second)) == PAGE


async def test_what_changes_is_told_row_by_row(http, platform):
    nothing = (await http.get("/notifications")).text
    assert f'data-newest="{UUID(int=0)}"' in nothing
    first = await tell(http)
    assert "1 new delivery: show it" in (await http.get("/notifications/live", params={"newest": UUID(int=0)})).text
    listed = (await http.get("/notifications")).text
    assert f'data-newest="{first["delivery_id"]}"' in listed
    assert f'data-row="{first["delivery_id"]}" data-unsettled' in listed
    await end(platform, "FAILED", "permanent")
    second, third = await tell(http), await tell(http, "grace@example.com")
    asked = {"delivery_id": [first["delivery_id"], str(uuid4())], "newest": first["delivery_id"]}
    live = (await http.get("/notifications/live", params=asked)).text
    assert rows(live) == [first["delivery_id"]]
    assert 'data-state="FAILED"' in live
    assert "data-unsettled" not in live
    assert re.search(r'Pending <span class="count">2</span>', live)
    assert "2 new deliveries: show them" in live
    of_ada = (await http.get("/notifications/live", params=asked | {"recipient": ADA})).text
    assert "1 new delivery: show it" in of_ada
    newest = max(second["delivery_id"], third["delivery_id"])
    assert "new deliver" not in (await http.get("/notifications/live", params={"newest": newest})).text


async def test_a_page_is_few_statements(http, platform):
    delivery = await tell(http)
    for path, most in (
        ("/notifications", 5),
        (f"/notifications?recipient={ADA}&status=SENT", 5),
        (f"/notifications/live?delivery_id={delivery['delivery_id']}&newest={delivery['delivery_id']}", 5),
        (f"/notifications/{delivery['delivery_id']}", 4),
        ("/notifications/providers", 2),
        ("/notifications/suppressions", 1),
        ("/inbox", 1),
    ):
        with sent(platform.database) as statements:
            assert (await http.get(path)).status_code == 200
        asked = [one for one, _ in statements if one.split()[0] in {"SELECT", "WITH"} and "api_keys" not in one]
        assert len(asked) <= most, asked


@pytest.mark.parametrize("query", ["status=BUSY", "age=2y", "job_id=x", "channel=%00", "recipient=%00", "before=x"])
async def test_values_that_no_delivery_can_have_are_refused_on_a_page(http, query):
    answer = await http.get(f"/notifications?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")


async def test_a_delivery_tells_its_story_and_masks_whom_it_tells(http, platform):
    delivery = await tell(http)
    await end(platform, "FAILED", "permanent")
    await execute(platform, TRY, hostile="no such inbox")
    await execute(platform, SAID, hostile="user unknown")
    page = (await http.get(f"/notifications/{delivery['delivery_id']}")).text
    for said in ("Given up after 1 try", "refused for good", "took 1.2 s", "status 422", "no such inbox"):
        assert said in page
    assert "550 user unknown" in page
    assert f'href="/jobs/{delivery["job_id"]}"' in page
    assert "a***@e***.com" in page
    listed = (await http.get("/notifications")).text
    headers = (await http.get(f"/notifications/{delivery['delivery_id']}?part=headers")).text
    assert delivery["delivery_id"] in headers
    assert ADA not in page + listed + headers


async def test_the_message_is_shown_in_a_frame_that_may_do_nothing(http):
    delivery = await tell(http)
    path = f"/notifications/{delivery['delivery_id']}"
    page = (await http.get(path)).text
    assert f'<iframe src="{path}/message" sandbox title="' in page
    frame = await http.get(f"{path}/message")
    policy = frame.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert "frame-ancestors 'self'" in policy
    assert frame.headers["x-frame-options"] == "SAMEORIGIN"
    assert frame.headers["x-content-type-options"] == "nosniff"
    assert "demo.sleep" in frame.text
    written = await http.get(f"/v1/notifications/preview?delivery_id={delivery['delivery_id']}")
    assert frame.text == written.json()["html"]
    assert "demo.sleep" in (await http.get(f"{path}?part=text")).text
    assert (await http.get(f"{path}?part=facts")).status_code == 200  # of other channels: the first part is shown


async def test_other_channels_show_their_text_and_what_they_tell(http):
    notifications = {"slack": {"on": ["CANCELLED"]}}
    job = (await http.post("/v1/jobs", json={"job_type": "demo.sleep", "notifications": notifications})).json()
    await http.post(f"/v1/jobs/{job['job_id']}/cancel")
    [delivery] = (await http.get(f"/v1/jobs/{job['job_id']}/deliveries")).json()["items"]
    page = (await http.get(f"/notifications/{delivery['delivery_id']}")).text
    assert "<iframe" not in page
    facts = (await http.get(f"/notifications/{delivery['delivery_id']}?part=facts")).text
    assert job["job_id"] in facts.partition("what it tells of the job")[2]


async def test_a_message_that_cannot_be_written_is_said_to_be_one(http, platform):
    delivery = await tell(http)
    await execute(platform, "UPDATE perdure.deliveries SET snapshot = '{}'")
    path = f"/notifications/{delivery['delivery_id']}"
    page = await http.get(path)
    assert page.status_code == 200
    assert "It cannot be written" in page.text
    assert (await http.get(f"{path}/message")).status_code == 404
    assert rows((await http.get("/notifications")).text) == [delivery["delivery_id"]]


async def test_it_is_sent_again_once_for_each_page(http, platform):
    delivery = await tell(http)
    await end(platform)
    path = f"/notifications/{delivery['delivery_id']}"
    form = {"once": once_of((await http.get(path)).text)}
    first = await http.post(f"{path}/resend", data=form, headers=OURS)
    second = await http.post(f"{path}/resend", data=form, headers=OURS)
    assert first.status_code == 303
    assert first.headers["location"] == second.headers["location"] != path
    again = (await http.get(first.headers["location"])).text
    assert "Asked for once more" in again
    assert f'href="{path}"' in again
    assert len(rows((await http.get("/notifications")).text)) == 2
    other = {"once": once_of((await http.get(path)).text)}
    third = await http.post(f"{path}/resend", data=other, headers=OURS)
    assert third.headers["location"] not in (path, first.headers["location"])
    for form in ({}, {"once": "x"}):
        assert (await http.post(f"{path}/resend", data=form, headers=OURS)).status_code in (415, 422)
    [kept] = (await execute(platform, "SELECT count(*) FROM perdure.deliveries")).scalars()
    assert kept == 3


async def test_what_waits_is_called_off_and_can_be_sent_again(http):
    delivery = await tell(http)
    path = f"/notifications/{delivery['delivery_id']}"
    page = (await http.get(path)).text
    assert "ask-cancel" in page
    assert "ask-resend" not in page
    early = await http.post(f"{path}/resend", data={"once": str(uuid4())}, headers=OURS)
    assert early.status_code == 409
    done = await http.post(f"{path}/cancel", headers=OURS)
    assert (done.status_code, done.headers["location"]) == (303, path)
    assert (await http.post(f"{path}/cancel", headers=OURS)).status_code == 409
    page = (await http.get(path)).text
    assert "Called off" in page
    assert "ask-cancel" not in page
    assert "ask-resend" in page


async def test_who_may_only_read_is_offered_nothing_to_do(http, platform):
    keys = ApiKeys(platform.database)
    admin, reader = await keys.create("admin", [Scope.ADMIN]), await keys.create("reader", [Scope.READ])
    http.headers["authorization"] = f"Bearer {admin.token}"
    delivery = await tell(http)
    session = {"cookie": f"{SESSION_COOKIE}={reader.token}"}
    delivery_path = f"/notifications/{delivery['delivery_id']}"
    for path in ("/notifications/providers", "/notifications/suppressions", delivery_path):
        page = await http.get(path, headers=session)
        assert page.status_code == 200
        assert "<dialog id=" not in page.text
        assert "/notifications/suppressions/new" not in page.text
    assert "<dialog id=" in (await http.get(path, headers={"cookie": f"{SESSION_COOKIE}={admin.token}"})).text


async def test_nothing_that_anybody_says_is_markup(http, platform):
    delivery = await tell(http, context={"email": ADA, "user_id": HOSTILE})
    await end(platform, "FAILED", "permanent")
    await execute(platform, TRY, hostile=HOSTILE)
    await execute(platform, SAID, hostile=HOSTILE)
    await execute(
        platform,
        "UPDATE perdure.deliveries SET provider_message_id = :hostile, reason = :hostile, subscription = :hostile,"
        " snapshot = snapshot || jsonb_build_object('job_type', CAST(:hostile AS text))",
        hostile=HOSTILE,
    )
    path = f"/notifications/{delivery['delivery_id']}"
    for address in (path, f"{path}?part=text", f"{path}?part=headers", "/notifications", f"{path}/message"):
        page = (await http.get(address)).text
        assert "<script>alert" not in page, address
        assert "<img src=x" not in page, address
        assert "&lt;script&gt;alert" in page, address


def test_every_state_has_a_tab_and_everything_that_happens_has_words():
    assert set(TABS) == set(DeliveryStatus)
    assert set(VERDICTS) == set(Verdict)
    assert set(KINDS) == set(FeedbackKind)
    assert {tone for tone, _ in (*VERDICTS.values(), *KINDS.values())} <= set(TONES)
