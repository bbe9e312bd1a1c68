"""How new jobs get into their table: a few by a statement that takes arrays, many by COPY.

Measured, for a batch of 500: 3.5 us of Python a job, and 9 until all is stored, by COPY; 6 and 15 by arrays. Of 100:
4.7 and 11, 6.7 and 17. To leave out the columns that no new job has a value for gains nothing in either.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import columns_of
from perdure.db.driver import DriverConnection, driver_of, numbered
from perdure.db.models import JobTagRow
from perdure.db.session import dump_json
from perdure.models.job import Job
from perdure.models.submission import FirstSubmission, IdempotencyKey
from perdure.repositories.job_type_queries import VERSION
from perdure.repositories.mappers import JOB_COLUMNS, job_arrays
from perdure.repositories.statements import cast, column_list, insert, unnest
from perdure.repositories.unique_keys import LEAVING_OUT_TAKEN, in_order

WORTH_COPYING = 100
"""From so many jobs on COPY is taken, which wants a message more."""

_COLUMNS = [column.name for column in JOB_COLUMNS]
_INTO_JOBS = f"INSERT INTO perdure.jobs ({column_list(JOB_COLUMNS)})"
_VALUES = ", ".join(cast(column, "new") for column in JOB_COLUMNS)
_ADD = text(insert("perdure.jobs", JOB_COLUMNS))
_ADD_UNIQUE = text(insert("perdure.jobs", JOB_COLUMNS, LEAVING_OUT_TAKEN))
_ADD_TAGS = text(insert("perdure.job_tags", columns_of(JobTagRow), "ON CONFLICT DO NOTHING"))
_BEGIN = text("SELECT")
"""SQLAlchemy begins a transaction with its first statement."""


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
        if not driver.is_in_transaction():
            await connection.execute(_BEGIN)
        await driver.copy_records_to_table(
            "jobs", schema_name="perdure", columns=_COLUMNS, records=zip(*job_arrays(jobs).values(), strict=True)
        )


class Newcomer(NamedTuple):
    """A new job and, where it was submitted under an idempotency key, that and what is kept of it."""

    job: Job
    key: IdempotencyKey | None = None
    submission: FirstSubmission | None = None


async def add_at_once(
    driver: DriverConnection, newcomers: Sequence[Newcomer], checked: Iterable[tuple[str, str]], kept_since: datetime
) -> set[UUID]:
    """Stores new jobs by one statement, which commits itself, and returns the ids of those that were stored.

    None is if one of the types that they were ``checked`` against, named with its version, is published otherwise by
    now. One whose idempotency key is kept since that moment is left out. None may have a unique key, nor two the same
    idempotency key.
    """
    values: list[Any] = [*map(list, zip(*checked, strict=True)), *job_arrays([one.job for one in newcomers]).values()]
    keyed = sorted(
        (one.key.caller, one.key.key, one.job.job_id, dump_json(one.submission.digests))
        for one in newcomers
        if one.key is not None and one.submission is not None
    )  # whoever takes several keys takes them in one order, so that no two wait for each other
    if keyed:
        values += [*map(list, zip(*keyed, strict=True)), kept_since]
    tagged = [(tag, one.job.job_id) for one in newcomers for tag in one.job.tags]
    if tagged:
        values += map(list, zip(*tagged, strict=True))
    return {row[0] for row in await driver.fetch(_statement(bool(keyed), bool(tagged)), *values)}


_CHECKED = "unnest(CAST(:checked_type AS text[]), CAST(:checked_version AS text[])) AS checked(job_type, version)"
_NEWCOMERS = f"""
    new AS (
        SELECT * FROM {unnest(JOB_COLUMNS, "new")}
        WHERE NOT EXISTS (
            SELECT FROM {_CHECKED} LEFT JOIN perdure.job_types AS published USING (job_type)
            WHERE {VERSION} IS DISTINCT FROM checked.version))
"""
_KEPT = """
    kept AS (
        INSERT INTO perdure.idempotency_keys AS kept (caller, key, job_id, digests, created_at)
        SELECT sent.caller, sent.key, sent.job_id, CAST(sent.digests AS jsonb), new.created_at
        FROM unnest(CAST(:caller AS text[]), CAST(:key AS text[]), CAST(:keyed_id AS uuid[]), CAST(:digests AS text[]))
             WITH ORDINALITY AS sent(caller, key, job_id, digests, place) JOIN new USING (job_id)
        ORDER BY sent.place
        ON CONFLICT (caller, key) DO UPDATE
            SET job_id = excluded.job_id, digests = excluded.digests, created_at = excluded.created_at
            WHERE kept.created_at < :kept_since
        RETURNING job_id)
"""
_IS_FIRST = "job_id <> ALL (CAST(:keyed_id AS uuid[])) OR job_id IN (SELECT job_id FROM kept)"
_TAGGED = """
    tagged AS (
        INSERT INTO perdure.job_tags (tag, job_id)
        SELECT sent.tag, sent.job_id
        FROM unnest(CAST(:tag AS text[]), CAST(:tagged_id AS uuid[])) AS sent(tag, job_id) JOIN added USING (job_id)
        ON CONFLICT DO NOTHING)
"""
_CHECKED_NAMES = ("checked_type", "checked_version")
_KEPT_NAMES = ("caller", "key", "keyed_id", "digests", "kept_since")
_TAGGED_NAMES = ("tag", "tagged_id")


@cache
def _statement(is_keyed: bool, is_tagged: bool) -> str:  # noqa: FBT001 (called once, by position)
    """The statement, with the parts that its jobs need; ``add_at_once`` gives its values in this order."""
    names = (*_CHECKED_NAMES, *_COLUMNS)
    parts = [_NEWCOMERS]
    if is_keyed:
        names += _KEPT_NAMES
        parts.append(_KEPT)
    parts.append(
        f"added AS ({_INTO_JOBS} SELECT {_VALUES} FROM new {f'WHERE {_IS_FIRST}' if is_keyed else ''} RETURNING job_id)"
    )
    if is_tagged:
        names += _TAGGED_NAMES
        parts.append(_TAGGED)
    return numbered(f"WITH {', '.join(parts)} SELECT job_id FROM added", names)
