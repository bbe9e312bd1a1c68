"""Webhook endpoints and subscriptions as a browser sets them: as strict as the API, and what is wrong is said."""

import json
import re

import pytest
from tests.dashboard.test_notifications import rows

OURS = {"sec-fetch-site": "same-origin"}
ENDPOINTS, SUBSCRIPTIONS = "/notifications/endpoints", "/notifications/subscriptions"
URL = "https://hooks.example.com/perdure"
ON_CALL = {
    "name": "on-call",
    "events": ["FAILURE"],
    "notifications": json.dumps({"email": {"to": ["ops@example.com"]}}),
}
HOSTILE = '"><script>alert(1)</script>'


async def post(http, path, **form):
    return await http.post(path, data=form, headers=OURS)


def secret_of(html):
    found = re.search(r"whsec_[A-Za-z0-9+/=]+", html)
    return found and found[0]


@pytest.fixture
async def billing(http):
    """The secret of an endpoint that was made."""
    made = await post(http, ENDPOINTS, name="billing", url=URL)
    assert made.status_code == 200
    return secret_of(made.text)


async def test_the_first_visit_teaches(http):
    assert "No endpoint has a name yet" in (await http.get(ENDPOINTS)).text
    assert "Nobody subscribed" in (await http.get(SUBSCRIPTIONS)).text


async def test_a_secret_is_shown_once(http, billing):
    assert billing.startswith("whsec_")
    for path in (ENDPOINTS, f"{ENDPOINTS}/billing"):
        page = (await http.get(path)).text
        assert URL in page
        assert secret_of(page) is None
    rotated = await post(http, f"{ENDPOINTS}/billing/rotate")
    assert rotated.status_code == 200
    assert rotated.headers["cache-control"] == "no-store"
    assert secret_of(rotated.text) not in (None, billing)
    assert "signs as well until" in (await http.get(f"{ENDPOINTS}/billing")).text


async def test_an_endpoint_is_moved_disabled_enabled_and_removed(http, billing):
    moved = await post(http, ENDPOINTS, name="billing", url=f"{URL}/2")
    assert (moved.status_code, moved.headers["location"]) == (303, f"{ENDPOINTS}/billing")
    assert (await http.get("/v1/webhook-endpoints/billing")).json()["url"] == f"{URL}/2"
    assert (await post(http, f"{ENDPOINTS}/billing/disable")).status_code == 303
    page = (await http.get(f"{ENDPOINTS}/billing")).text
    assert "Somebody disabled it." in page
    assert "ask-recover" not in page
    assert (await post(http, f"{ENDPOINTS}/billing/test")).status_code == 409
    assert (await post(http, f"{ENDPOINTS}/billing/recover", age="1h")).status_code == 409
    assert (await post(http, f"{ENDPOINTS}/billing/enable")).status_code == 303
    assert (await post(http, f"{ENDPOINTS}/billing/recover", age="soon")).status_code == 422
    assert (await post(http, f"{ENDPOINTS}/billing/recover", age="7d")).status_code == 303
    assert (await post(http, f"{ENDPOINTS}/billing/remove")).headers["location"] == ENDPOINTS
    assert (await http.get(f"{ENDPOINTS}/billing")).status_code == 404


async def test_a_test_that_does_not_arrive_says_so(http):
    await post(http, ENDPOINTS, name="inside", url="http://127.0.0.1:9/hooks")
    tried = await post(http, f"{ENDPOINTS}/inside/test")
    assert tried.headers["location"] == f"{ENDPOINTS}/inside"
    cookie = tried.headers["set-cookie"].partition(";")[0]
    assert "The test did not arrive" in (await http.get(f"{ENDPOINTS}/inside", headers={"cookie": cookie})).text


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"name": "a/b", "url": URL}, "should match pattern"),
        ({"name": HOSTILE, "url": URL}, "should match pattern"),
        ({"name": "billing", "url": "ftp://example.com"}, "must be a URL such as"),
        ({"url": URL}, 'class="problem"'),
    ],
)
async def test_an_endpoint_that_is_none_is_not_made(http, form, says):
    answer = await post(http, ENDPOINTS, **form)
    assert answer.status_code == 422
    assert says in answer.text
    assert "<script>alert" not in answer.text
    assert "No endpoint has a name yet" in answer.text


async def test_a_subscription_is_set_changed_and_deleted(http):
    made = await post(http, SUBSCRIPTIONS, **ON_CALL)
    assert (made.status_code, made.headers["location"]) == (303, SUBSCRIPTIONS)
    page = (await http.get(SUBSCRIPTIONS)).text
    assert "failure of any job" in page
    form = (await http.get(f"{SUBSCRIPTIONS}/set?name=on-call")).text
    assert "ops@example.com" in form
    assert re.search(r'value="FAILURE" checked', form)
    await post(http, SUBSCRIPTIONS, **(ON_CALL | {"job_type": "demo.fail", "events": ["SUCCESS", "FAILURE"]}))
    [stored] = (await http.get("/v1/subscriptions")).json()["items"]
    assert (stored["job_type"], stored["events"]) == ("demo.fail", ["SUCCESS", "FAILURE"])
    assert stored["notifications"] == {"email": {"to": ["ops@example.com"]}}
    assert (await post(http, f"{SUBSCRIPTIONS}/on-call/delete")).status_code == 303
    assert (await post(http, f"{SUBSCRIPTIONS}/on-call/delete")).status_code == 404
    assert (await http.get(f"{SUBSCRIPTIONS}/set?name=on-call")).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"notifications": "{"}, 'class="problem"'),
        ({"notifications": "[]"}, 'class="problem"'),
        ({"notifications": '{"email": {}}'}, "would tell nobody"),
        ({"notifications": '{"fax": {}}'}, 'class="problem"'),
        ({"notifications": HOSTILE}, "&lt;script&gt;alert(1)"),
        ({"events": []}, 'class="problem"'),
        ({"events": ["NEVER"]}, 'class="problem"'),
        ({"name": "a b"}, 'class="problem"'),
    ],
)
async def test_a_subscription_that_is_none_is_not_set(http, wrong, says):
    answer = await post(http, SUBSCRIPTIONS, **(ON_CALL | wrong))
    assert answer.status_code == 422, answer.text
    assert says in answer.text
    assert "<script>alert" not in answer.text
    assert "Nobody subscribed" in (await http.get(SUBSCRIPTIONS)).text


async def test_what_a_subscription_caused_is_told_apart(http):
    await post(http, SUBSCRIPTIONS, **(ON_CALL | {"events": ["CANCELLED"]}))
    job = (await http.post("/v1/jobs", json={"job_type": "demo.sleep"})).json()
    await http.post(f"/v1/jobs/{job['job_id']}/cancel")
    page = (await http.get("/notifications")).text
    [delivery_id] = rows(page)
    assert "on-call" in page
    assert "the subscription on-call" in (await http.get(f"/notifications/{delivery_id}")).text
