"""The worker's side of its lease: takes it, reads from its page how long it is good, and stops everything in time.

Renewing is the business of ``workers/renewer.py``, which no processor can starve. The worker stops trusting its lease
by the monotonic clock, before anybody else may take it: a renewal counts from the moment it was sent.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

import perdure
from perdure.db.session import Database, dump_json
from perdure.db.wakeup import Topic, Wakeup
from perdure.errors import Unavailable
from perdure.models.lease import KEPT_FREE, RENEWALS_PER_LEASE, WorkerIdentity
from perdure.processors.base import Processor
from perdure.repositories.worker_repository import WorkerRepository
from perdure.signals import LeaseLost, Signals
from perdure.workers.lease_page import LeasePage
from perdure.workers.loop import Loop

WAIT_SECONDS = 0.05
"""How often a worker without a lease looks whether one would be renewed."""


class LeaseKeeper(Loop):
    """Holds the lease under which this process runs jobs.

    With it goes what the worker tells of itself that may change, ``sees_files``, and what is told to it: who wants
    which job cancelled.

    ``on_lost`` is called when it is lost (everything that runs must stop), ``on_cancel`` with the running jobs that
    somebody wants stopped.
    """

    def __init__(
        self,
        database: Database,
        signals: Signals,
        wakeup: Wakeup,
        page: LeasePage,
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
        self._page = page
        self._lease_seconds = lease_seconds
        self._queues = tuple(queues)
        self._processors = tuple(processors)
        self._concurrency = concurrency
        self._sees_files = sees_files
        self._on_lost = on_lost
        self._on_cancel = on_cancel
        self._worker_id: UUID | None = None
        self._registered_until = 0.0
        self._told_of_files = False
        self._lost: UUID | None = None
        """Which lease was lost; it is given up when another is taken."""
        self._lost_at = 0.0
        self._end: asyncio.TimerHandle | None = None

    @property
    def worker_id(self) -> UUID | None:
        """Who this worker is; None while it holds no lease (claim nothing then)."""
        return self._worker_id if time.monotonic() < self._works_until else None

    async def begin(self) -> UUID:
        """Takes the first lease, once somebody is there to renew it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._lease_seconds):
                while not self._is_attended:  # noqa: ASYNC110 (another process says it)
                    await asyncio.sleep(WAIT_SECONDS)
        return await self._register()

    async def note_draining(self) -> None:
        """Tells whoever looks at the workers that this one takes no more jobs. Nothing depends on it."""
        if self._worker_id is not None:
            with suppress(Unavailable):
                async with self._database.transaction() as connection:
                    await WorkerRepository(connection).drain(self._worker_id)

    async def retire(self) -> None:
        """Gives the lease up; whatever is still RUNNING under it is rescued by others."""
        self._forget_end()
        worker_id, self._worker_id = self._worker_id, None
        if worker_id is not None:
            async with self._database.transaction() as connection:
                await WorkerRepository(connection).retire([worker_id])
            self._page.worker_id = None

    async def tick(self) -> float:
        if self._worker_id is not None:
            await self._attend(self._worker_id)
        elif self._is_attended:  # else it would only be lost again
            await self._register()
        return self._lease_seconds / RENEWALS_PER_LEASE if self._worker_id is not None else WAIT_SECONDS

    async def _register(self) -> UUID:
        """Publishes the job types and takes a lease under a new identity."""
        identity, sees_files = self._new_identity(), self._sees_files()
        sent_at = time.monotonic()
        async with self._database.transaction() as connection:
            workers = WorkerRepository(connection)
            await workers.publish([published(processor, self._database.clock.now()) for processor in self._processors])
            if self._lost is not None:
                await workers.retire([self._lost])
            await workers.register(identity, self._lease_seconds, sees_files=sees_files)
        self._lost, self._told_of_files = None, sees_files
        self._worker_id = self._page.worker_id = identity.worker_id
        self._registered_until = sent_at + self._lease_seconds
        self._watch()
        return identity.worker_id

    async def _attend(self, worker_id: UUID) -> None:
        sees_files = self._sees_files()
        async with self._database.transaction() as connection:
            workers = WorkerRepository(connection)
            if sees_files is not self._told_of_files:
                await workers.show_files(worker_id, sees_files=sees_files)
            cancelled = await workers.attend(worker_id)
        self._told_of_files = sees_files
        if cancelled is None:
            self._lose(worker_id)
        elif cancelled:
            self._on_cancel(cancelled)

    @property
    def _is_attended(self) -> bool:
        """Whether a lease taken now would be renewed: its renewer has looked since the last one was lost."""
        return self._page.attended_at > self._lost_at

    @property
    def _works_until(self) -> float:
        """When work must have stopped: before the lease ends, as it was taken or last renewed."""
        renewed_until = 0.0 if self._worker_id is None else self._page.good_until(self._worker_id)
        return max(self._registered_until, renewed_until) - self._lease_seconds * KEPT_FREE

    def _watch(self) -> None:
        """Loses the lease in time, by a timer: no loop that waits for the database may delay that."""
        self._forget_end()
        if self._worker_id is None:
            return
        remaining = self._works_until - time.monotonic()
        if remaining <= 0:
            self._lose(self._worker_id)
        else:
            self._end = asyncio.get_running_loop().call_later(remaining, self._watch)

    def _forget_end(self) -> None:
        if self._end is not None:
            self._end.cancel()

    def _lose(self, worker_id: UUID) -> None:
        if worker_id != self._worker_id:
            return
        self._worker_id = self._page.worker_id = None
        self._lost, self._lost_at = worker_id, time.monotonic()
        self._signals.emit(LeaseLost(worker_id))
        self._on_lost()
        self.woken.set()

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
        "max_concurrent": processor.max_concurrent,
        "max_concurrent_per_key": processor.max_concurrent_per_key,
        "published_at": now,
    }
