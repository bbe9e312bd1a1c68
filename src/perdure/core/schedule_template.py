"""What a schedule says of its jobs, made into jobs: each is judged as if it were submitted at its slot."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.core.job_factory import JobFactory, ReadyType
from perdure.models.file import possible_file_ids
from perdure.models.job import Job
from perdure.repositories.file_repository import FileRepository
from perdure.repositories.job_type_queries import JobTypeQueries
from perdure.schemas.job import JobCreate


@dataclass(frozen=True, slots=True)
class Template:
    """``files`` are those that the payload names; none of them can go before the transaction ends."""

    factory: JobFactory
    sent: JobCreate
    job_type: ReadyType | None
    files: AbstractSet[UUID]

    @classmethod
    async def read(cls, connection: AsyncConnection, factory: JobFactory, declared: Mapping[str, Any]) -> Template:
        sent = JobCreate.model_validate(declared)
        possible = possible_file_ids(sent.payload)
        files = await FileRepository(connection).lock_named(possible) if possible else set()
        published = await JobTypeQueries(connection).get(sent.job_type)
        return cls(factory, sent, None if published is None else ReadyType(published), files)

    def job_at(self, slot_at: datetime, now: datetime) -> Job:
        """The job of a slot, due since then. Raises ``InvalidInput`` as a submission would."""
        return self.factory.create(self.sent.model_copy(update={"run_at": slot_at}), self.job_type, now, self.files)
