"""A page of deliveries is the newest that match, whatever is asked together; and it reads little of what there is."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from tests.repositories.test_plans import MODES, execute, explain, sent

from perdure.clock import first_id_at
from perdure.db.session import Database
from perdure.models.delivery import DeliveryStatus
from perdure.repositories.delivery_counts import DeliveryCounting
from perdure.repositories.delivery_filter import DeliveryFilter
from perdure.repositories.delivery_queries import DeliveryQueries
from perdure.repositories.delivery_search import DeliverySearch

BEGAN = datetime(2030, 1, 31, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DELIVERIES, LIMIT = 6_000, 20
ROWS = 1_000
"""A page of what is frequent looks at as many of each of some twenty groups at most."""

# A delivery a second, of all kinds in turn; the five oldest are of a kind of their own.
FILL = text("""
    INSERT INTO perdure.deliveries
        (delivery_id, job_id, run, event, channel, provider, recipient, status, reason, attempts, fence, snapshot,
         next_attempt_at, created_at, finished_at)
    SELECT rpad(lpad(to_hex(CAST(:began_ms AS bigint) + number * 1000), 12, '0'), 32, '0')::uuid,
           CAST(lpad(to_hex(number / 3), 32, '0') AS uuid), number % 3, CASE WHEN rare THEN 'CANCELLED'
                ELSE (ARRAY['SUCCESS', 'FAILURE'])[number % 2 + 1] END,
           CASE WHEN rare THEN 'slack' ELSE 'email' END, CASE WHEN rare THEN 'slack' ELSE 'mailtrap' END,
           CASE WHEN number % 7 = 0 THEN NULL WHEN rare THEN 'rare@example.com' ELSE 'usual@example.com' END,
           status, 'x', 1, 1, jsonb_build_object('job_type', CASE WHEN rare THEN 'rare' ELSE 't' || number % 3 END),
           CASE WHEN live THEN now() END, CAST(:began AS timestamptz) + make_interval(secs => number),
           CASE WHEN NOT live THEN now() END
    FROM generate_series(1, CAST(:count AS integer)) AS number
    CROSS JOIN LATERAL (
        SELECT number <= 5 AS rare, (ARRAY['SENT', 'FAILED', 'PENDING'])[number % 3 + 1] AS status) AS one
    CROSS JOIN LATERAL (SELECT status = 'PENDING' AS live) AS kind
""")


async def fill(database: Database, count: int) -> None:
    await execute(database, FILL, count=count, began=BEGAN, began_ms=int(BEGAN.timestamp() * 1000))


def an_id(number: int) -> UUID:
    return first_id_at(BEGAN + number * SECOND)


@pytest.fixture
async def some(database: Database) -> Database:
    await fill(database, 60)
    return database


def matches(delivery, wanted: DeliveryFilter) -> bool:
    """The filter once more, as a person would say it."""
    values = {
        one.name: getattr(wanted, one.name)
        for one in fields(wanted)
        if one.name not in ("created_after", "created_before")
    }
    values["status"] = wanted.status or None
    return (
        all(
            wish is None or (delivery.status in wish if name == "status" else found(delivery, name) == wish)
            for name, wish in values.items()
        )
        and (wanted.created_after is None or delivery.created_at >= wanted.created_after)
        and (wanted.created_before is None or delivery.created_at < wanted.created_before)
    )


def found(delivery, name):
    return delivery.snapshot["job_type"] if name == "job_type" else getattr(delivery, name)


moments = st.none() | st.integers(0, 61).map(lambda number: BEGAN + number * SECOND)
filters = st.builds(
    DeliveryFilter,
    status=st.lists(st.sampled_from(DeliveryStatus), max_size=2),
    provider=st.none() | st.sampled_from(["mailtrap", "slack", "absent"]),
    channel=st.none() | st.sampled_from(["email", "slack"]),
    event=st.none() | st.sampled_from(["SUCCESS", "FAILURE", "CANCELLED"]),
    job_type=st.none() | st.sampled_from(["t0", "t1", "rare"]),
    recipient=st.none() | st.sampled_from(["usual@example.com", "rare@example.com"]),
    job_id=st.none() | st.integers(0, 20).map(lambda number: UUID(int=number)),
    created_after=moments,
    created_before=moments,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=filters, before=st.none() | st.integers(1, 60).map(an_id), limit=st.integers(1, 60))
async def test_the_newest_that_match_are_found_in_order(some, wanted, before, limit):
    async with some.snapshot() as connection:
        queries = DeliveryQueries(connection)
        everything = await queries.newest(DeliveryFilter(), None, 100)
        page = await queries.newest(wanted, before, limit)
    assert len(everything) == 60
    older = [one for one in everything if before is None or one.delivery_id < before]
    assert page == [one for one in older if matches(one, wanted)][:limit]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=filters)
async def test_counts_are_those_of_the_table(some, wanted):
    async with some.snapshot() as connection:
        everything = await DeliveryQueries(connection).newest(DeliveryFilter(), None, 100)
    async with some.snapshot() as connection:
        counts = await DeliveryCounting(connection).count(wanted)
    of_any_state = replace(wanted, status=())
    expected = Counter(one.status for one in everything if matches(one, of_any_state))
    assert {state: count for state, count in counts.by_state.items() if count} == expected
    assert counts.at_least == frozenset()


SEARCHES: dict[str, tuple[DeliveryFilter, str]] = {
    "nothing": (DeliveryFilter(), "deliveries_pkey"),
    "state": (DeliveryFilter(status=[DeliveryStatus.FAILED]), "deliveries_group"),
    "state that is not there": (DeliveryFilter(status=[DeliveryStatus.BOUNCED]), "deliveries_group"),
    "channel": (DeliveryFilter(channel="slack"), "deliveries_group"),
    "provider": (DeliveryFilter(provider="slack"), "deliveries_group"),
    "event": (DeliveryFilter(event="CANCELLED"), "deliveries_group"),
    "type": (DeliveryFilter(job_type="rare"), "deliveries_group"),
    "type and state": (DeliveryFilter(job_type="rare", status=[DeliveryStatus.SENT]), "deliveries_group"),
    "type that is not of the provider": (DeliveryFilter(job_type="rare", provider="mailtrap"), "deliveries_group"),
    "recipient": (DeliveryFilter(recipient="rare@example.com"), "deliveries_recipient"),
    "recipient and state": (
        DeliveryFilter(recipient="usual@example.com", status=[DeliveryStatus.BOUNCED]),
        "deliveries_recipient",
    ),
    "job": (DeliveryFilter(job_id=UUID(int=1)), "deliveries_once"),
    "time": (DeliveryFilter(created_before=BEGAN + 9 * SECOND), "deliveries_pkey"),
    "state and time": (
        DeliveryFilter(status=[DeliveryStatus.FAILED], created_after=BEGAN + 5_000 * SECOND),
        "deliveries_group",
    ),
}


@pytest.fixture(params=["never analysed", "analysed"])
async def many(request: pytest.FixtureRequest, any_database: Database) -> AsyncIterator[Database]:
    await execute(any_database, "ALTER TABLE perdure.deliveries SET (autovacuum_enabled = false)")
    try:
        await fill(any_database, DELIVERIES)
        if request.param == "analysed":
            await execute(any_database, "ANALYZE perdure.deliveries")
        yield any_database
    finally:
        await execute(any_database, "ALTER TABLE perdure.deliveries RESET (autovacuum_enabled)")


async def test_each_filter_reads_little_by_its_index(many):
    for name, (wanted, index) in SEARCHES.items():
        for mode in MODES:
            async with many.snapshot() as connection:
                with sent(many) as statements:
                    await DeliveryQueries(connection).newest(wanted, None, LIMIT)
                [statement] = statements
                plan = await explain(connection, *statement, mode)
            nodes = list(plan.nodes())
            assert index in {node.get("Index Name") for node in nodes}, (name, mode)
            assert "Seq Scan" not in {node["Node Type"] for node in nodes if node.get("Relation Name") == "deliveries"}
            looked_at = sum(
                node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
                for node in nodes
                if "Scan" in node["Node Type"] and node.get("Relation Name") == "deliveries"
            )
            assert looked_at <= ROWS, (name, mode, looked_at)


async def test_counting_reads_no_more_than_its_limit_by_the_same_index(many):
    for name, (wanted, _) in SEARCHES.items():
        of_any_state = replace(wanted, status=())
        kind = (
            "deliveries_recipient" if wanted.recipient else "deliveries_once" if wanted.job_id else "deliveries_group"
        )
        for mode in MODES:
            async with many.snapshot() as connection:
                with sent(many) as statements:
                    counts = await DeliverySearch(connection, of_any_state).counts(ROWS // 2, 1)
                [statement] = statements
                plan = await explain(connection, *statement, mode)
            assert sum(count for count, _ in counts.values()) <= ROWS // 2, (name, mode)
            nodes = [node for node in plan.nodes() if node.get("Relation Name") == "deliveries"]
            assert kind in {node.get("Index Name") for node in plan.nodes()}, (name, mode)
            assert "Seq Scan" not in {node["Node Type"] for node in nodes}, (name, mode)
            looked_at = sum(
                node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) for node in nodes
            )
            assert looked_at <= ROWS, (name, mode, looked_at)
