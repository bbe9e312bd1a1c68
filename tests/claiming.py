"""Claims for tests that have a connection of the engine's."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.driver import InTransaction
from perdure.models.job import Job
from perdure.models.place import Place
from perdure.repositories.job_claims import JobClaims


async def claim(
    connection: AsyncConnection,
    queue: str,
    job_types: Sequence[str],
    limit: int,
    worker_id: UUID,
    *,
    start: Place | None = None,
    sees_files: bool = True,
) -> list[Job]:
    """Takes jobs of one queue, from the place ``start`` on."""
    queues = [queue] if start is None else {queue: start}
    claims = JobClaims(InTransaction(connection))
    return await claims.claim(queues, job_types, limit, worker_id, sees_files=sees_files)
