"""Renews the leases of the worker processes it looks after, all in one statement, and gives up those of the ended.

The one place that decides who deserves a lease: a process that is alive, not stopped, and has no attempt past its
deadline and a grace. `perdure worker` runs it in a parent that runs no job, so that no processor can starve it; a
process that is on its own (`perdure dev`) runs it beside its worker, and loses its lease when it is blocked for long.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from uuid import UUID

from perdure.db.session import Database
from perdure.errors import Unavailable
from perdure.models.lease import RENEWALS_PER_LEASE
from perdure.repositories.worker_repository import WorkerRepository
from perdure.signals import Signals, WorkerOverdue
from perdure.workers.lease_holder import HolderState, LeaseHolder
from perdure.workers.lease_page import LeasePage
from perdure.workers.loop import Loop


class Renewer(Loop):
    """``holders`` may change between two ticks; set ``woken`` when one has begun or ended."""

    def __init__(
        self,
        database: Database,
        signals: Signals,
        holders: Collection[LeaseHolder],
        *,
        lease_seconds: float,
        woken: asyncio.Event | None = None,
    ) -> None:
        super().__init__(signals, woken)
        self._database = database
        self._holders = holders
        self._lease_seconds = lease_seconds
        self._interval_seconds = lease_seconds / RENEWALS_PER_LEASE

    async def tick(self) -> float:
        now = time.monotonic()
        working = [holder for holder in self._holders if holder.state is HolderState.RUNNING]
        for holder in working:
            if holder.page.overdue_at <= now:
                self._signals.emit(WorkerOverdue(holder.page.worker_id))
                holder.kill()
        pages = [holder.page for holder in working if holder.page.overdue_at > now]
        ended = [holder.page for holder in self._holders if holder.state is HolderState.ENDED]
        await self._save(pages, ended)
        first_overdue = min((page.overdue_at for page in pages), default=now + self._interval_seconds)
        return min(self._interval_seconds, max(first_overdue - time.monotonic(), 0.0))

    async def _save(self, pages: Collection[LeasePage], ended: Collection[LeasePage]) -> None:
        """Writes both kinds, and does not wait longer for the database than until the next renewal is due."""
        saving = asyncio.create_task(self._renew(pages, ended))
        saving.add_done_callback(lambda done: done.cancelled() or done.exception())  # one that was left is not missed
        try:
            done, _ = await asyncio.wait([saving], timeout=self._interval_seconds)
        finally:
            saving.cancel()
        if not done:  # a connection that the network has swallowed cannot even be closed in time
            await self._database.start_afresh()
            raise Unavailable("The database did not answer in time; try again.")
        saving.result()

    async def _renew(self, pages: Collection[LeasePage], ended: Collection[LeasePage]) -> None:
        by_id = {worker_id: page for page in pages if (worker_id := page.worker_id) is not None}
        gone = [worker_id for page in ended if (worker_id := page.worker_id) is not None]
        sent_at = time.monotonic()
        renewed: list[UUID] = []
        if by_id or gone:
            async with self._database.transaction() as connection:
                workers = WorkerRepository(connection)
                renewed = await workers.renew(list(by_id), self._lease_seconds) if by_id else []
                if gone:
                    await workers.retire(gone)
        for worker_id in renewed:
            by_id[worker_id].renew(worker_id, sent_at + self._lease_seconds)
        for page in pages:
            page.attended_at = sent_at
        for page in ended:
            page.worker_id = None
