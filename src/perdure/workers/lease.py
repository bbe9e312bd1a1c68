"""Keeps this process's lease: registers the worker, renews, and says so at once when the lease is lost.

The worker stops trusting its lease by its own monotonic clock, before anybody else may take it: a renewal counts
from the moment it was sent.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

import perdure
from perdure.db.session import Database, dump_json
from perdure.db.wakeup import Topic, Wakeup
from perdure.errors import Unavailable
from perdure.models.lease import RENEWALS_PER_LEASE, WorkerIdentity
from perdure.processors.base import Processor
from perdure.repositories.worker_repository import WorkerRepository
from perdure.signals import LeaseLost, Signals
from perdure.workers.loop import Loop


class LeaseKeeper(Loop):
    """Holds the lease under which this process runs jobs.

    With it goes what the worker tells of itself that may change: ``sees_files``.

    ``on_lost`` is called when it is lost (everything that runs must stop), ``on_cancel`` with the running jobs that
    somebody wants stopped.
    """

    def __init__(
        self,
        database: Database,
        signals: Signals,
        wakeup: Wakeup,
        *,
        lease_seconds: float,
        queues: Sequence[str],
        processors: Sequence[Processor],
        concurrency: int,
        sees_files: Callable[[], bool],
        on_lost: Callable[[], None],
        on_cancel: Callable[[Sequence[UUID]], None],
    ) -> None:
        super().__init__(signals, wakeup.event(Topic.CANCELS))
        self._database = database
        self._lease_seconds = lease_seconds
        self._queues = tuple(queues)
        self._processors = tuple(processors)
        self._concurrency = concurrency
        self._sees_files = sees_files
        self._on_lost = on_lost
        self._on_cancel = on_cancel
        self._worker_id: UUID | None = None
        self._good_until = 0.0

    @property
    def worker_id(self) -> UUID | None:
        """Who this worker is; None while it holds no lease (claim nothing then)."""
        return self._worker_id if time.monotonic() < self._good_until else None

    async def register(self) -> UUID:
        """Publishes the job types and takes a lease under a new identity."""
        identity = self._new_identity()
        sent_at = time.monotonic()
        async with self._database.transaction() as connection:
            workers = WorkerRepository(connection)
            await workers.publish([published(processor, self._database.clock.now()) for processor in self._processors])
            await workers.register(identity, self._lease_seconds, sees_files=self._sees_files())
        self._worker_id, self._good_until = identity.worker_id, sent_at + self._lease_seconds
        return identity.worker_id

    async def retire(self) -> None:
        """Gives the lease up; whatever is still RUNNING under it is rescued by others."""
        worker_id, self._worker_id = self._worker_id, None
        if worker_id is not None:
            async with self._database.transaction() as connection:
                await WorkerRepository(connection).retire(worker_id)

    async def tick(self) -> float:
        if self._worker_id is None:
            await self.register()
        else:
            await self._renew(self._worker_id)
        return self._lease_seconds / RENEWALS_PER_LEASE

    async def _renew(self, worker_id: UUID) -> None:
        sent_at = time.monotonic()
        try:
            async with self._database.transaction() as connection:
                workers = WorkerRepository(connection)
                renewed = await workers.renew(worker_id, self._lease_seconds, sees_files=self._sees_files())
                cancelled = await workers.cancel_requested(worker_id) if renewed else []
        except Unavailable:
            if time.monotonic() >= self._good_until:
                self._lose(worker_id)
            raise
        if not isinstance(renewed, datetime):
            self._lose(worker_id)
            await self.register()
            return
        self._good_until = sent_at + self._lease_seconds
        self._database.clock.set(renewed, (sent_at + time.monotonic()) / 2)
        if cancelled:
            self._on_cancel(cancelled)

    def _lose(self, worker_id: UUID) -> None:
        self._worker_id = None
        self._signals.emit(LeaseLost(worker_id))
        self._on_lost()

    def _new_identity(self) -> WorkerIdentity:
        return WorkerIdentity(
            worker_id=uuid7(),
            hostname=socket.gethostname(),
            process_id=os.getpid(),
            version=perdure.__version__,
            queues=self._queues,
            job_types=tuple(sorted(processor.job_type for processor in self._processors)),
            concurrency=self._concurrency,
        )


def published(processor: Processor, now: datetime) -> dict[str, object]:
    """The row of ``job_types`` that tells what the processor takes and gives."""
    return {
        "job_type": processor.job_type,
        "description": processor.description,
        "payload_schema": dump_json(processor.payload_type.json_schema()),
        "result_schema": dump_json(processor.result_type.json_schema(mode="serialization")),
        "max_retries": processor.max_retries,
        "timeout_seconds": processor.timeout_seconds,
        "retry_base_seconds": processor.retry.base_seconds,
        "retry_max_seconds": processor.retry.max_seconds,
        "published_at": now,
    }
