"""Providers over HTTP: where calls fail, and letting one be called again."""

import pytest
from sqlalchemy import text
from tests.workers.test_notifier_policy import WRITE

from perdure.core.api_keys import ApiKeys
from perdure.core.notifications.circuits import note_calls
from perdure.models.api_key import Scope
from perdure.models.circuit import Call
from perdure.models.delivery import Attempt, Verdict
from perdure.signals import CircuitChanged

REFUSED = Attempt(
    verdict=Verdict.MISCONFIGURED, status_code=401, error_type="not_permitted", message="Mailtrap refuses the key"
)


@pytest.fixture
async def refused(database):
    """Mailtrap refused us, and three mails wait."""
    call = Call(provider="mailtrap", destination="mailtrap", was_probe=False, was_troubled=False)
    async with database.transaction() as connection:
        await connection.execute(WRITE, {"count": 3, "channel": "email", "destination": "mailtrap"})
        await connection.execute(text("UPDATE perdure.deliveries SET provider = 'mailtrap'"))
        await note_calls(connection, [(call, REFUSED)], database.clock.now())


async def test_where_nothing_failed_nothing_is_told_but_what_waits(http):
    found = (await http.get("/v1/providers")).json()
    assert found["next_cursor"] is None
    assert found["items"][0] == {
        "name": "mailtrap",
        "channel": "email",
        "state": "CLOSED",
        "waiting": 0,
        "oldest_seconds": None,
        "circuits": [],
    }


async def test_a_provider_that_refuses_us_says_so_until_it_is_resumed(http, platform, refused):
    changes = []
    platform.signals.subscribe(CircuitChanged, changes.append)
    provider = (await http.get("/v1/providers")).json()["items"][0]
    assert (provider["state"], provider["waiting"]) == ("PAUSED", 3)
    [circuit] = provider["circuits"]
    assert (circuit["status_code"], circuit["message"]) == (401, "Mailtrap refuses the key")
    assert circuit["blocked_until"] > circuit["since"]
    for name in ("email", "mailtrap"):
        answer = await http.post(f"/v1/providers/{name}/resume")
        assert (answer.status_code, answer.json()["state"]) == (200, "CLOSED")
    [circuit] = answer.json()["circuits"]
    assert (circuit["state"], circuit["blocked_until"], circuit["status_code"]) == ("CLOSED", None, 401)
    assert [(one.state, one.before, one.by) for one in changes] == [("CLOSED", "PAUSED", "local")]


async def test_whoever_waits_for_a_provider_that_refuses_us_is_told_so(http, refused):
    told = (await http.get("/v1/deliveries")).json()["items"]
    assert [(one["status"], one["circuit"]) for one in told] == [("PENDING", "PAUSED")] * 3
    assert all("`perdure providers resume mailtrap`" in one["explanation"] for one in told)
    await http.post("/v1/providers/mailtrap/resume")
    told = (await http.get("/v1/deliveries")).json()["items"]
    assert [(one["circuit"], one["held_until"]) for one in told] == [(None, None)] * 3
    assert all(one["explanation"].startswith("Its first try is due at ") for one in told)


async def test_what_nobody_knows_is_not_resumed(http):
    assert (await http.post("/v1/providers/pigeons/resume")).status_code == 404


async def test_whoever_may_only_read_resumes_nothing(http, platform):
    made = await ApiKeys(platform.database).create("reader", [Scope.READ])
    headers = {"authorization": f"Bearer {made.token}"}
    assert (await http.get("/v1/providers", headers=headers)).status_code == 200
    assert (await http.post("/v1/providers/mailtrap/resume", headers=headers)).status_code == 403
