"""How new jobs get into their table: a few by a statement that takes arrays, many by COPY (those that differ in their
payload alone by job_rows.py).

Measured, for a batch of 500: 3.5 us of Python a job, and 9 until all is stored, by COPY; 6 and 15 by arrays. Of 100:
4.7 and 11, 6.7 and 17. To leave out the columns that no new job has a value for gains nothing in either.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import columns_of
from perdure.db.driver import DriverConnection, driver_of, within_transaction
from perdure.db.models import JobTagRow
from perdure.db.session import dump_json
from perdure.models.job import Job
from perdure.models.submission import FirstSubmission, IdempotencyKey
from perdure.repositories.idempotency_repository import LOCK
from perdure.repositories.job_type_queries import VERSION
from perdure.repositories.mappers import JOB_COLUMNS, STORED_OTHERWISE, job_arrays
from perdure.repositories.statements import column_list, insert, type_of
from perdure.repositories.unique_keys import LEAVING_OUT_TAKEN, in_order

WORTH_COPYING = 100
"""From so many jobs on COPY is taken, which wants a message more."""

_IS_JSON = {column.name: isinstance(column.type, JSONB) for column in JOB_COLUMNS}
_AS_IT_IS = [name for name, is_json in _IS_JSON.items() if not is_json and name not in STORED_OTHERWISE]
_JSON_AS_IT_IS = [name for name, is_json in _IS_JSON.items() if is_json and name not in STORED_OTHERWISE]
_COPIED = [*_AS_IT_IS, *STORED_OTHERWISE, *_JSON_AS_IT_IS]
_as_it_is = attrgetter(*_AS_IT_IS)
_json_as_it_is = attrgetter(*_JSON_AS_IT_IS)
_otherwise = tuple((stored, _IS_JSON[name]) for name, stored in STORED_OTHERWISE.items())
_ADD = text(insert("perdure.jobs", JOB_COLUMNS))
_ADD_UNIQUE = text(insert("perdure.jobs", JOB_COLUMNS, LEAVING_OUT_TAKEN))
_ADD_TAGS = text(insert("perdure.job_tags", columns_of(JobTagRow), "ON CONFLICT DO NOTHING"))


async def add(connection: AsyncConnection, jobs: Sequence[Job]) -> list[Job]:
    """Stores new jobs in the connection's transaction, and returns those that were: all but the ones whose unique key
    a live job has. Of several with one key, the first is stored.
    """
    added = await _add(connection, jobs)
    if tags := [(tag, job.job_id) for job in added for tag in job.tags]:
        names, job_ids = zip(*tags, strict=True)
        await connection.execute(_ADD_TAGS, {"tag": list(names), "job_id": list(job_ids)})
    return added


async def _add(connection: AsyncConnection, jobs: Sequence[Job]) -> list[Job]:
    if any(job.unique_key is not None for job in jobs):
        stored = set((await connection.execute(_ADD_UNIQUE, job_arrays(in_order(jobs)))).scalars())
        return [job for job in jobs if job.job_id in stored]
    if len(jobs) >= WORTH_COPYING:
        await _copy(connection, jobs)
    else:
        await connection.execute(_ADD, job_arrays(jobs))
    return list(jobs)


async def _copy(connection: AsyncConnection, jobs: Sequence[Job]) -> None:
    async with driver_of(connection) as driver:
        await within_transaction(connection, driver)
        await driver.copy_records_to_table("jobs", schema_name="perdure", columns=_COPIED, records=map(_row, jobs))


def _row(job: Job) -> tuple[Any, ...]:
    """The values of a job's row, in the order of ``_COPIED``; JSON as text."""
    return (
        *_as_it_is(job),
        *[_text(stored(job)) if is_json else stored(job) for stored, is_json in _otherwise],
        *map(_text, _json_as_it_is(job)),
    )


def _text(value: Any) -> str | None:
    return None if value is None else dump_json(value)


class Newcomer:
    """A new job as ``add_at_once`` takes it: written down already, so that it is known how much it is."""

    __slots__ = ("document", "job", "key")

    def __init__(
        self, job: Job, version: str, key: IdempotencyKey | None = None, submission: FirstSubmission | None = None
    ) -> None:
        """``version``: of its type, as it was when the job was checked against it. With an idempotency ``key``, what
        is kept of its submission.
        """
        self.job = job
        self.key = key
        values = dict(zip(_NEW_AS_IT_IS, _new_as_it_is(job), strict=True))
        values |= {name: stored(job) for name, stored in _NEW_OTHERWISE.items()}
        values["version"] = version
        if key is not None and submission is not None:
            values |= {"caller": key.caller, "key": key.key, "digests": submission.digests}
        self.document = orjson.dumps(values)


async def add_at_once(driver: DriverConnection, newcomers: Sequence[Newcomer], kept_since: datetime) -> set[UUID]:
    """Stores new jobs by one statement, which commits itself, and returns the ids of those that were stored.

    Left out is one whose type is published in another version by now, or whose idempotency key is kept since that
    moment or is being taken just now. None may have a unique key, nor two the same idempotency key.
    """
    is_keyed = any(one.key is not None for one in newcomers)
    is_tagged = any(one.job.tags for one in newcomers)
    documents = b"[" + b",".join([one.document for one in newcomers]) + b"]"
    values = (documents.decode(), kept_since) if is_keyed else (documents.decode(),)
    return {row[0] for row in await driver.fetch(_statement(is_keyed, is_tagged), *values)}


_NOT_YET = {
    *("worker_id", "started_at", "finished_at", "cancel_requested_at", "run", "attempt", "snoozes", "fence"),
    *("progress", "result", "error"),
}
"""What the table or the statement says of every new job."""
_NEW = tuple(column for column in JOB_COLUMNS if column.name not in _NOT_YET)
_NEW_OTHERWISE = {column.name: STORED_OTHERWISE[column.name] for column in _NEW if column.name in STORED_OTHERWISE}
_NEW_AS_IT_IS = tuple(column.name for column in _NEW if column.name not in STORED_OTHERWISE)
_new_as_it_is = attrgetter(*_NEW_AS_IT_IS)

# As one document, since a value in an array costs the driver as much as a whole job in JSON (measured, for 30 jobs: 11
# us of Python a job by arrays, 5 by this, for 2 more of the server's; for one alone 160 and 90).
_SENT = ", ".join([*(f"{column.name} {type_of(column)}" for column in _NEW), "version text"])
_NEWCOMERS = f"""
    SELECT sent.*
    FROM jsonb_to_recordset(CAST(CAST($1 AS text) AS jsonb)) AS sent({_SENT}, caller text, key text, digests jsonb)
    JOIN perdure.job_types AS published ON published.job_type = sent.job_type AND {VERSION} = sent.version
"""
# Of a key that somebody is about to take nothing is known yet: to wait for him would hold up all the others.
_IS_FREE = f"WHERE key IS NULL OR pg_try_advisory_xact_lock({LOCK})"
# Whoever takes several keys takes them in one order, so that no two wait for each other.
_KEPT = """
    kept AS (
        INSERT INTO perdure.idempotency_keys AS kept (caller, key, job_id, digests, created_at)
        SELECT caller, key, job_id, digests, created_at FROM new WHERE key IS NOT NULL
        ORDER BY caller, key
        ON CONFLICT (caller, key) DO UPDATE
            SET job_id = excluded.job_id, digests = excluded.digests, created_at = excluded.created_at
            WHERE kept.created_at < $2
        RETURNING job_id)
"""
_ADDED = f"""
    added AS (
        INSERT INTO perdure.jobs ({column_list(_NEW)}, run, attempt, snoozes, fence)
        SELECT {column_list(_NEW)}, 1, 0, 0, 0 FROM new
"""
_IS_FIRST = "WHERE key IS NULL OR job_id IN (SELECT job_id FROM kept)"
_TAGGED = """
    tagged AS (
        INSERT INTO perdure.job_tags (tag, job_id)
        SELECT tag, job_id FROM new JOIN added USING (job_id), jsonb_array_elements_text(new.tags) AS tag
        ON CONFLICT DO NOTHING)
"""


@cache
def _statement(is_keyed: bool, is_tagged: bool) -> str:  # noqa: FBT001 (called once, by position)
    """The statement, with the parts that its jobs need."""
    parts = [f"new AS MATERIALIZED ({_NEWCOMERS} {_IS_FREE if is_keyed else ''})"]
    if is_keyed:
        parts.append(_KEPT)
    parts.append(f"{_ADDED} {_IS_FIRST if is_keyed else ''} RETURNING job_id)")
    if is_tagged:
        parts.append(_TAGGED)
    return f"WITH {', '.join(parts)} SELECT job_id FROM added"
