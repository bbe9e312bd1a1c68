"""Writes and reads idempotency keys. Their index decides which of two submissions under one key is the first."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.session import dump_json
from perdure.models.submission import FirstSubmission, IdempotencyKey

LOCK = "hashtextextended('perdure idempotency ' || caller || ' ' || key, 0)"
"""The advisory lock that whoever takes a key holds until the transaction ends. So who takes many at once knows of which
ones he would have to wait for somebody, and leaves them out.
"""

# Whoever comes second waits here until the first has committed or failed. The row of a key that is kept no longer is
# taken over; any other is locked, so that it is still there when it is read next.
_TAKE = text(f"""
    INSERT INTO perdure.idempotency_keys AS kept (caller, key, job_id, digests, created_at)
    SELECT caller, key, :job_id, CAST(CAST(:digests AS text) AS jsonb), :now
    FROM (SELECT CAST(:caller AS text) AS caller, CAST(:key AS text) AS key) AS wanted,
         LATERAL (SELECT pg_advisory_xact_lock({LOCK})) AS waited
    ON CONFLICT (caller, key) DO UPDATE
        SET job_id = excluded.job_id, digests = excluded.digests, created_at = excluded.created_at
        WHERE kept.created_at < :kept_since
    RETURNING job_id
""")

_GET = text("SELECT job_id, digests FROM perdure.idempotency_keys WHERE caller = :caller AND key = :key")

# Waits for nobody: a key that is being taken over is none to go.
_DELETE_OLD = text("""
    DELETE FROM perdure.idempotency_keys WHERE ctid = ANY (ARRAY(
        SELECT old.ctid FROM perdure.idempotency_keys AS old WHERE old.created_at < :before
        ORDER BY old.created_at LIMIT :limit FOR UPDATE SKIP LOCKED))
""")

_COUNT_OLD = text("SELECT count(*) FROM perdure.idempotency_keys WHERE created_at < :before")


class IdempotencyRepository:
    """The keys, on one transaction's connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def take(
        self, key: IdempotencyKey, submission: FirstSubmission, now: datetime, kept_since: datetime
    ) -> FirstSubmission:
        """Keeps ``submission`` under ``key`` and returns it, or returns the one that is kept there since."""
        place = {"caller": key.caller, "key": key.key}
        kept = {"job_id": submission.job_id, "digests": dump_json(submission.digests), "now": now}
        parameters = place | kept | {"kept_since": kept_since}
        if (await self._connection.execute(_TAKE, parameters)).first() is not None:
            return submission
        row = (await self._connection.execute(_GET, place)).one()
        return FirstSubmission(row.job_id, row.digests)

    async def delete_old(self, before: datetime, limit: int) -> int:
        """Removes up to ``limit`` of those made before, and returns how many."""
        return (await self._connection.execute(_DELETE_OLD, {"before": before, "limit": limit})).rowcount

    async def count_old(self, before: datetime) -> int:
        keys: int = (await self._connection.execute(_COUNT_OLD, {"before": before})).scalar_one()
        return keys
