"""Writes the workers' rows: their leases, and what they can do."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import columns_of
from perdure.db.models import JobTypeRow
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
    UPDATE perdure.workers
    SET lease_until = clock_timestamp() + make_interval(secs => :lease_seconds), sees_files = :sees_files
    WHERE worker_id = :worker_id AND lease_until > clock_timestamp()
    RETURNING clock_timestamp()
""")

_CANCEL_REQUESTED = text("""
    SELECT job_id FROM perdure.jobs
    WHERE status = 'RUNNING' AND worker_id = :worker_id AND cancel_requested_at IS NOT NULL
""")

_RETIRE = text("DELETE FROM perdure.workers WHERE worker_id = :worker_id")

_RETIRE_DEAD = text("""
    DELETE FROM perdure.workers AS worker
    WHERE worker.lease_until < clock_timestamp() - interval '1 hour'
      AND NOT EXISTS (SELECT FROM perdure.jobs WHERE status = 'RUNNING' AND worker_id = worker.worker_id)
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

    async def renew(self, worker_id: UUID, lease_seconds: float, *, sees_files: bool = True) -> object | None:
        """Prolongs the lease and returns the database's time; None when the lease is lost for good."""
        parameters = {"worker_id": worker_id, "lease_seconds": lease_seconds, "sees_files": sees_files}
        return (await self._connection.execute(_RENEW, parameters)).scalar_one_or_none()

    async def cancel_requested(self, worker_id: UUID) -> list[UUID]:
        """Which of the worker's running jobs somebody wants stopped."""
        return list((await self._connection.execute(_CANCEL_REQUESTED, {"worker_id": worker_id})).scalars())

    async def retire(self, worker_id: UUID) -> None:
        """Gives the lease up at once: a job that is still RUNNING under it can be rescued now."""
        await self._connection.execute(_RETIRE, {"worker_id": worker_id})

    async def retire_dead(self) -> None:
        """Removes the rows of workers that have been gone for an hour and hold nothing."""
        await self._connection.execute(_RETIRE_DEAD)

    async def publish(self, types: Sequence[dict[str, object]]) -> None:
        """Writes job types, one mapping of the table's columns each, replacing what was known of them."""
        ordered = sorted(types, key=lambda one: str(one["job_type"]))
        await self._connection.execute(
            _PUBLISH, {column.name: [one[column.name] for one in ordered] for column in _TYPE_COLUMNS}
        )
