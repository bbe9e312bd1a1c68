"""Writes the workers' rows: their leases, and what they can do."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import columns_of
from perdure.db.models import JobTypeRow
from perdure.db.wakeup import CHANNEL, Topic
from perdure.models.lease import WorkerIdentity
from perdure.repositories.statements import insert

_REGISTER = text("""
    INSERT INTO perdure.workers
        (worker_id, hostname, process_id, version, queues, job_types, concurrency, started_at, lease_until,
         sees_files)
    VALUES (:worker_id, :hostname, :process_id, :version, CAST(:queues AS text[]), CAST(:job_types AS text[]),
            :concurrency, clock_timestamp(), clock_timestamp() + make_interval(secs => :lease_seconds), :sees_files)
""")

# A lapsed lease is not revived: whoever rescued its jobs must be able to rely on that.
_RENEW = text("""
    UPDATE perdure.workers SET lease_until = clock_timestamp() + make_interval(secs => :lease_seconds)
    WHERE worker_id = ANY (CAST(:worker_ids AS uuid[])) AND lease_until > clock_timestamp()
    RETURNING worker_id
""")

# No row: the lease is lost, whatever the worker believes.
_ATTEND = text("""
    SELECT ARRAY(SELECT job.job_id FROM perdure.jobs AS job
                 WHERE job.status = 'RUNNING' AND job.worker_id = worker.worker_id
                   AND job.cancel_requested_at IS NOT NULL)
    FROM perdure.workers AS worker
    WHERE worker.worker_id = :worker_id AND worker.lease_until > clock_timestamp()
""")

_SHOW_FILES = text("UPDATE perdure.workers SET sees_files = :sees_files WHERE worker_id = :worker_id")

_DRAIN = text("UPDATE perdure.workers SET draining_since = clock_timestamp() WHERE worker_id = :worker_id")

# Sweepers hear of it with the commit: what still runs under these leases can be rescued from then on.
_RETIRE = text(f"""
    WITH retired AS (DELETE FROM perdure.workers WHERE worker_id = ANY (CAST(:worker_ids AS uuid[])) RETURNING 1)
    SELECT pg_notify('{CHANNEL}', '{Topic.WORKERS_LOST}') FROM (SELECT FROM retired LIMIT 1) AS any_of_them
""")

_RETIRE_DEAD = text("""
    DELETE FROM perdure.workers AS worker
    WHERE worker.lease_until < clock_timestamp() - interval '1 hour'
      AND NOT EXISTS (SELECT FROM perdure.jobs WHERE status = 'RUNNING' AND worker_id = worker.worker_id)
""")

_SECONDS_UNTIL_NEXT_LAPSE = text("""
    SELECT extract(epoch FROM min(lease_until) - clock_timestamp())::float8 FROM perdure.workers
    WHERE lease_until > clock_timestamp()
""")

_TYPE_COLUMNS = columns_of(JobTypeRow)
_TYPE_UPDATES = ", ".join(f"{column.name} = excluded.{column.name}" for column in _TYPE_COLUMNS)
_PUBLISH = text(insert("perdure.job_types", _TYPE_COLUMNS, f"ON CONFLICT (job_type) DO UPDATE SET {_TYPE_UPDATES}"))


class WorkerRepository:
    """The writing side, on one transaction's connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def register(self, worker: WorkerIdentity, lease_seconds: float, *, sees_files: bool = True) -> None:
        changing = {"lease_seconds": lease_seconds, "sees_files": sees_files}
        await self._connection.execute(_REGISTER, worker.as_row() | changing)

    async def renew(self, worker_ids: Sequence[UUID], lease_seconds: float) -> list[UUID]:
        """Prolongs the leases that still hold and returns whose; the others are lost for good."""
        wanted = {"worker_ids": list(worker_ids), "lease_seconds": lease_seconds}
        return list((await self._connection.execute(_RENEW, wanted)).scalars())

    async def attend(self, worker_id: UUID) -> list[UUID] | None:
        """Which of the worker's running jobs somebody wants stopped; None when its lease is lost."""
        found: list[UUID] | None = (
            await self._connection.execute(_ATTEND, {"worker_id": worker_id})
        ).scalar_one_or_none()
        return found

    async def show_files(self, worker_id: UUID, *, sees_files: bool) -> None:
        """Notes whether the worker sees the file store."""
        await self._connection.execute(_SHOW_FILES, {"worker_id": worker_id, "sees_files": sees_files})

    async def drain(self, worker_id: UUID) -> None:
        """Notes that the worker takes no more jobs, and ends when those that it runs have."""
        await self._connection.execute(_DRAIN, {"worker_id": worker_id})

    async def retire(self, worker_ids: Sequence[UUID]) -> None:
        """Gives leases up at once: jobs that are still RUNNING under them can be rescued now, and sweepers look."""
        await self._connection.execute(_RETIRE, {"worker_ids": list(worker_ids)})

    async def retire_dead(self) -> None:
        """Removes the rows of workers that have been gone for an hour and hold nothing."""
        await self._connection.execute(_RETIRE_DEAD)

    async def seconds_until_next_lapse(self) -> float | None:
        """Seconds until the first lease lapses, unless it is renewed; None when nobody has one."""
        seconds: float | None = (await self._connection.execute(_SECONDS_UNTIL_NEXT_LAPSE)).scalar_one()
        return seconds

    async def publish(self, types: Sequence[dict[str, object]]) -> None:
        """Writes job types, one mapping of the table's columns each, replacing what was known of them."""
        ordered = sorted(types, key=lambda one: str(one["job_type"]))
        await self._connection.execute(
            _PUBLISH, {column.name: [one[column.name] for one in ordered] for column in _TYPE_COLUMNS}
        )
