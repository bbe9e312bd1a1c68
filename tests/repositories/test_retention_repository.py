"""What is old is found by its index: beside many that stay, no statement reads a whole table."""

import pytest
from sqlalchemy import text
from tests import history
from tests.history import Past, Told

from perdure.core.retention import START, RetentionPolicy
from perdure.db.base import columns_of
from perdure.db.models import DeliveryAttemptRow, DeliveryFeedbackRow, DeliveryRow, JobEventRow, JobRow
from perdure.repositories import retention_repository
from perdure.repositories.retention_repository import RetentionRepository

CROWD = 50_000
TABLES = (JobRow, JobEventRow, DeliveryRow, DeliveryAttemptRow, DeliveryFeedbackRow)


@pytest.fixture
async def crowd(any_database):
    """Many jobs that are too young to go or told somebody, and before them a few that may go."""
    old = Past(told=[Told(ended_days=95)], ended_days=95, made_days=110)
    await history.write(any_database, [Past(told=[Told()]), Past(ended_days=1, made_days=1)])
    async with any_database.transaction() as connection:
        for table in TABLES:
            await connection.execute(text(_multiply(table)), {"crowd": CROWD})
    await history.write(any_database, [old] * 300)
    async with any_database.transaction() as connection:
        await connection.execute(text(f"ANALYZE {', '.join(str(table.__table__) for table in TABLES)}"))
    return any_database


def _multiply(table) -> str:
    """Copies each row as often as :crowd says, under ids that are as old."""
    names = [column.name for column in columns_of(table) if column.name != "event_id" or table is DeliveryFeedbackRow]
    values = [
        f"overlay({name}::text PLACING lpad(to_hex(copy), 12, '0') FROM 25)::uuid"
        if name in ("job_id", "delivery_id")
        else name
        for name in names
    ]
    target = f"INSERT INTO {table.__table__} ({', '.join(names)})"
    return f"{target} SELECT {', '.join(values)} FROM {table.__table__}, generate_series(1, :crowd) AS copy"


async def test_no_statement_reads_a_whole_table(crowd):
    cutoffs = RetentionPolicy(jobs_days=30, audit_days=90).cutoffs(crowd.clock.now())
    async with crowd.transaction() as connection:
        job_ids = (await RetentionRepository(connection, cutoffs).next(START, 500)).may_go
        assert len(job_ids) == 300
        parameters = {
            "after": START,
            "end": cutoffs.end,
            "limit": 500,
            "before": cutoffs.before,
            "audit_before": cutoffs.audit_before,
            "job_ids": list(job_ids),
        }
        plans = {}
        for statement in (
            retention_repository._NEXT,
            retention_repository._LOCK,
            retention_repository._STILL_MAY_GO,
            *(
                retention_repository._DELETE[table]
                for table in ("delivery_attempts", "delivery_feedback", "deliveries", "job_events", "jobs")
            ),
        ):
            used = {name: value for name, value in parameters.items() if f":{name}" in statement.text}
            plan = await connection.execute(text(f"EXPLAIN {statement.text}"), used)
            plans[statement.text] = "\n".join(plan.scalars())
    assert [f"{statement}\n{plan}" for statement, plan in plans.items() if "Seq Scan" in plan] == []
    assert "deliveries_once" in plans[retention_repository._DELETE["deliveries"].text]
