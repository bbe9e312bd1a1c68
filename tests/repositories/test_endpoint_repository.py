"""What calls to endpoints come to: only what changes is written, and only failures without end disable."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from tests.models.test_webhook_endpoint import an_endpoint

from perdure.models.webhook_endpoint import DisabledReason
from perdure.repositories.endpoint_repository import EndpointOutcome, EndpointRepository

WORKED, FAILED, GONE = EndpointOutcome.WORKED, EndpointOutcome.FAILED, EndpointOutcome.GONE
DAY = timedelta(days=1)


async def noted(database, failing_days, outcome, **changes):
    """The endpoint that failed for so many days (None: not at all) after a call; whether that wrote and ended it."""
    now = database.clock.now()
    failing_since = None if failing_days is None else now - failing_days * DAY
    async with database.transaction() as connection:
        endpoints = EndpointRepository(connection)
        await endpoints.add(an_endpoint(failing_since=failing_since, **changes))
    async with database.transaction() as connection:
        before = await row_version(connection)
        disabled = await EndpointRepository(connection).note({"crm": outcome, "unknown": outcome})
        written = await row_version(connection) != before
        return await EndpointRepository(connection).get("crm"), written, disabled


async def row_version(connection):
    return (await connection.execute(text("SELECT ctid::text FROM perdure.webhook_endpoints"))).scalar_one()


@pytest.mark.parametrize(
    ("failing_days", "outcome", "is_failing", "written", "ended"),
    [
        (None, WORKED, False, False, None),
        (3, WORKED, False, True, None),
        (None, FAILED, True, True, None),
        (4.99, FAILED, True, False, None),
        (5.01, FAILED, True, True, DisabledReason.FAILING),
        (None, GONE, True, True, DisabledReason.GONE),
        (5.01, GONE, True, True, DisabledReason.GONE),
    ],
)
async def test_what_a_call_comes_to(any_database, failing_days, outcome, is_failing, written, ended):
    endpoint, was_written, disabled = await noted(any_database, failing_days, outcome)
    assert (endpoint.failing_since is not None, was_written) == (is_failing, written)
    assert disabled == ({} if ended is None else {"crm": ended})
    assert (endpoint.reason, endpoint.disabled_at is not None) == (ended, ended is not None)


@pytest.mark.parametrize("outcome", [FAILED, GONE])
async def test_one_that_is_disabled_stays_as_it_is(database, outcome):
    by_hand = an_endpoint().disabled(database.clock.now(), "ada")
    endpoint, written, disabled = await noted(
        database, 9, outcome, state=by_hand.state, reason=by_hand.reason, disabled_at=by_hand.disabled_at
    )
    assert (endpoint.reason, written, disabled) == (DisabledReason.BY_HAND, False, {})
