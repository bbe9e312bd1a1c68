"""Writes jobs: submission, claims, fenced transitions, becoming due, rescue. Every statement takes many jobs at once.

The claim and the transition are the two halves of guarantee 2: a claim raises the job's fence; a transition is
written only where state and fence are still the ones it started from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.driver import InTransaction
from perdure.models.job import Job, Transition
from perdure.repositories import job_insertion
from perdure.repositories.job_events import JobEvents
from perdure.repositories.job_successes import JobSuccesses
from perdure.repositories.mappers import JOB_COLUMNS, job_arrays, job_from_row
from perdure.repositories.statements import NOW, cast, column_list, unnest
from perdure.repositories.unique_keys import UniqueKeys, was_taken

_JOB = column_list(JOB_COLUMNS, "job")


_HELD = text(f"""
    SELECT {_JOB} FROM perdure.jobs AS job WHERE job.status = 'RUNNING' AND job.worker_id = :worker_id
""").columns(*JOB_COLUMNS)

_CHANGED_BY_TRANSITION = tuple(
    column
    for column in JOB_COLUMNS
    if column.name
    in {
        "status",
        "run",
        "attempt",
        "snoozes",
        "worker_id",
        "run_at",
        "expires_at",
        "started_at",
        "finished_at",
        "cancel_requested_at",
        "progress",
        "result",
        "error",
    }
)
_MATCHED_BY_TRANSITION = tuple(column for column in JOB_COLUMNS if column.name in {"job_id", "fence"})
_ASSIGNMENTS = ", ".join(f"{column.name} = {cast(column, 'new')}" for column in _CHANGED_BY_TRANSITION)

# The fence: a row whose state or fence moved on is left alone, and not returned; nor is one that somebody asked to
# cancel since it was read: the caller must decide again, knowing of it. Claims are told apart: what two of one job came
# to may arrive together.
_APPLY = text(f"""
    UPDATE perdure.jobs AS job SET {_ASSIGNMENTS}
    FROM {unnest(_MATCHED_BY_TRANSITION + _CHANGED_BY_TRANSITION, "new")}
    JOIN unnest(CAST(:job_id AS uuid[]), CAST(:fence AS bigint[]), CAST(:status_before AS text[]),
                CAST(:cancel_before AS timestamptz[]))
         AS old(job_id, fence, status, cancel_requested_at) USING (job_id, fence)
    WHERE job.job_id = new.job_id AND job.job_id = ANY (CAST(:job_id AS uuid[]))
      AND job.fence = new.fence AND job.status = old.status
      AND job.cancel_requested_at IS NOT DISTINCT FROM old.cancel_requested_at
    RETURNING job.job_id, job.fence
""")

_LOCK = text(f"""
    SELECT {_JOB} FROM perdure.jobs AS job WHERE job.job_id = ANY (CAST(:job_ids AS uuid[]))
    ORDER BY job.job_id FOR UPDATE
""").columns(*JOB_COLUMNS)

_REQUEST_CANCEL = text("""
    UPDATE perdure.jobs SET cancel_requested_at = coalesce(cancel_requested_at, :now)
    WHERE job_id = ANY (CAST(:job_ids AS uuid[])) AND status = 'RUNNING'
""")

# Each due job is moved once, whoever else promotes (SKIP LOCKED), the longest due first.
_PROMOTE_DUE = text(f"""
    UPDATE perdure.jobs SET status = 'QUEUED'
    WHERE job_id = ANY (ARRAY(
        SELECT due.job_id FROM perdure.jobs AS due
        WHERE due.status IN ('SCHEDULED', 'RETRYING') AND due.run_at <= {NOW}
        ORDER BY due.run_at LIMIT :limit
        FOR UPDATE SKIP LOCKED))
""")

_SECONDS_UNTIL_NEXT_DUE = text("""
    SELECT extract(epoch FROM min(run_at) - clock_timestamp())::float8 FROM perdure.jobs
    WHERE status IN ('SCHEDULED', 'RETRYING')
""")

# Jobs whose worker is gone or let its lease lapse, locked for the caller, who concludes them.
_LOCK_ABANDONED = text(f"""
    SELECT {_JOB} FROM perdure.jobs AS job
    WHERE job.status = 'RUNNING' AND NOT EXISTS (
        SELECT FROM perdure.workers AS worker
        WHERE worker.worker_id = job.worker_id AND worker.lease_until > clock_timestamp())
    LIMIT :limit
    FOR UPDATE OF job SKIP LOCKED
""").columns(*JOB_COLUMNS)

# Who runs has a worker, says a CHECK. (Asked for the status, the planner may read all running jobs.)
_SAVE_PROGRESS = text("""
    UPDATE perdure.jobs AS job SET progress = new.progress::jsonb
    FROM unnest(CAST(:job_id AS uuid[]), CAST(:fence AS bigint[]), CAST(:progress AS text[]))
         AS new(job_id, fence, progress)
    WHERE job.job_id = new.job_id AND job.job_id = ANY (CAST(:job_id AS uuid[]))
      AND job.fence = new.fence AND job.worker_id IS NOT NULL
""")


class JobRepository:
    """The writing side, on one transaction's connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, jobs: Sequence[Job]) -> list[Job]:
        """Stores new jobs and returns those that were: all but the ones whose unique key a live job has.

        Of several with one key, the first is stored.
        """
        return await job_insertion.add(self._connection, jobs)

    async def unique_holders(self, keys: Iterable[str]) -> dict[str, UUID]:
        """Of these unique keys, those that a live job has, and that job."""
        return await UniqueKeys(self._connection).holders(keys)

    async def held(self, worker_id: UUID) -> list[Job]:
        """The jobs that are RUNNING under the worker's lease."""
        result = await self._connection.execute(_HELD, {"worker_id": worker_id})
        return [job_from_row(row) for row in result.mappings()]

    async def apply(self, transitions: Sequence[Transition]) -> list[Transition]:
        """Writes the transitions that still hold, with their events, and returns them; the others left no trace.

        Each claim may be spoken for once. No job is opened again while another live one has its unique key.
        """
        if not any(transition.takes_unique_key for transition in transitions):
            return await self._apply(transitions)
        while True:
            free = await UniqueKeys(self._connection).without_taken(transitions)
            try:
                async with self._connection.begin_nested():
                    return await self._apply(free)
            except IntegrityError as error:
                if not was_taken(error):
                    raise

    async def _apply(self, transitions: Sequence[Transition]) -> list[Transition]:
        plain = [one for one in transitions if one.is_plain_success]
        others = [one for one in transitions if not one.is_plain_success] if len(plain) < len(transitions) else []
        written = await JobSuccesses(InTransaction(self._connection)).write(plain)
        if others:
            written |= await self._change(others)
        if len(written) == len(transitions):
            return list(transitions)
        return [transition for transition in transitions if transition.before.claim_key in written]

    async def _change(self, transitions: Sequence[Transition]) -> set[tuple[UUID, int]]:
        """Writes any transitions, and their events; returns the claims that they ended."""
        after = [transition.job for transition in transitions]
        arrays = job_arrays(after, _MATCHED_BY_TRANSITION + _CHANGED_BY_TRANSITION)
        arrays["status_before"] = [transition.before.status.value for transition in transitions]
        arrays["cancel_before"] = [transition.before.cancel_requested_at for transition in transitions]
        written = {(job_id, fence) for job_id, fence in await self._connection.execute(_APPLY, arrays)}
        held = [transition for transition in transitions if transition.before.claim_key in written]
        if held:
            await JobEvents(self._connection).add(held)
        return written

    async def written_before(self, transitions: Sequence[Transition]) -> list[Transition]:
        """Those that an earlier try to save them wrote, although nobody heard of its commit."""
        return await JobEvents(self._connection).written_before(transitions)

    async def lock(self, job_id: UUID) -> Job | None:
        """The job as it stands, locked until the transaction ends; None when there is no such job."""
        return next(iter(await self.lock_all([job_id])), None)

    async def lock_all(self, job_ids: Sequence[UUID]) -> list[Job]:
        """Those of the jobs that exist, as they stand, locked until the transaction ends."""
        result = await self._connection.execute(_LOCK, {"job_ids": list(job_ids)})
        return [job_from_row(row) for row in result.mappings()]

    async def request_cancel(self, job_ids: Sequence[UUID], now: datetime) -> None:
        """Notes that running jobs are to stop; their workers read the note at their next heartbeat."""
        await self._connection.execute(_REQUEST_CANCEL, {"job_ids": list(job_ids), "now": now})

    async def promote_due(self, limit: int) -> int:
        """Moves up to ``limit`` jobs whose time has come to QUEUED and returns how many."""
        return (await self._connection.execute(_PROMOTE_DUE, {"limit": limit})).rowcount

    async def seconds_until_next_due(self) -> float | None:
        """Seconds until the next waiting job is due (negative: overdue); None when none waits."""
        seconds: float | None = (await self._connection.execute(_SECONDS_UNTIL_NEXT_DUE)).scalar_one()
        return seconds

    async def lock_abandoned(self, limit: int) -> list[Job]:
        """Running jobs that no living worker holds, locked until the transaction ends."""
        result = await self._connection.execute(_LOCK_ABANDONED, {"limit": limit})
        return [job_from_row(row) for row in result.mappings()]

    async def save_progress(self, progress: Sequence[tuple[UUID, int, str]]) -> None:
        """Stores (job_id, fence, progress as JSON text) of jobs that are still running under that fence."""
        job_ids, fences, values = zip(*progress, strict=True)
        await self._connection.execute(
            _SAVE_PROGRESS, {"job_id": list(job_ids), "fence": list(fences), "progress": list(values)}
        )
