"""Enqueues a job in a transaction of your own: it is there once you commit, and was never there if you roll back.

```python
with engine.begin() as connection:
    connection.execute(insert(orders).values(order))
    enqueue(connection, "order.confirm", {"order": order["id"]})
```

The job is checked as one that is sent over HTTP, and stored by the same code. Nothing is committed here, and no
setting of the connection is changed or relied upon.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from perdure.core import submission
from perdure.core.job_factory import JobFactory
from perdure.core.notifications.providers.packaged import installed_channels
from perdure.db.borrowed_connection import BorrowedConnection, borrow, borrow_async, completed
from perdure.db.wakeup import NOW_AND_RING_AT_COMMIT, Topic
from perdure.errors import MalformedJSON, PerdureError
from perdure.schemas.job import JobCreate
from perdure.schemas.reading import read_json

__all__ = ["enqueue", "enqueue_async"]


@cache
def _factory() -> JobFactory:
    """Made at the first job: packages may bring channels."""
    return JobFactory(installed_channels())


def enqueue(connection: Any, job_type: str, payload: Any = None, *, wake: bool = True, **declared: Any) -> UUID:
    """Adds a job to the transaction of ``connection`` and returns its id; ``declared`` are the API's other fields.

    ``connection`` is SQLAlchemy's Connection or Session, or psycopg's Connection. Raises ``MalformedJSON``,
    ``ValidationFailed``, ``UnknownJobType`` or ``UniqueKeyTaken``, and the transaction can go on; what the driver
    raises is passed on. Without ``wake`` no NOTIFY is sent with your commit, and workers find the job when they next
    look, a second later at most (one that is put off: up to ten).
    """
    return completed(_enqueue(borrow(connection), {"job_type": job_type, "payload": payload} | declared, wake=wake))


async def enqueue_async(
    connection: Any, job_type: str, payload: Any = None, *, wake: bool = True, **declared: Any
) -> UUID:
    """``enqueue`` for asyncio: SQLAlchemy's AsyncConnection or AsyncSession, psycopg's or asyncpg's connections."""
    declared = {"job_type": job_type, "payload": payload} | declared
    return await _enqueue(borrow_async(connection), declared, wake=wake)


async def _enqueue(connection: BorrowedConnection, declared: Mapping[str, Any], *, wake: bool) -> UUID:
    sent = _read(declared)
    [answer] = (await connection.execute(NOW_AND_RING_AT_COMMIT, {"topics": _topics(sent) if wake else []})).mappings()
    now = datetime.fromisoformat(answer["now"]).astimezone(UTC)
    ours = cast("AsyncConnection", connection)  # as far as is needed here
    [job] = await submission.store(ours, _factory(), [(uuid7(), sent)], now)
    if isinstance(job, PerdureError):
        raise job
    return job.job_id


def _topics(sent: JobCreate) -> list[str]:
    """What may be news to the workers: where a time is given, both, since the job may be due by the commit."""
    is_put_off = sent.run_at is not None or sent.delay_seconds is not None
    wakes = {Topic.JOBS_READY: True, Topic.JOBS_WAITING: is_put_off, Topic.JOBS_EXPIRING: sent.expires_at is not None}
    return [topic.value for topic, is_news in wakes.items() if is_news]


def _read(declared: Mapping[str, Any]) -> JobCreate:
    try:
        text = json.dumps(declared)
    except (TypeError, ValueError, RecursionError) as error:
        raise MalformedJSON(f"The job cannot be written as JSON: {error}.") from None
    return read_json(JobCreate, text.encode())
