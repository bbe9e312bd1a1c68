"""What a process of ours needs at the least: the database that the settings name, and what renews leases in it.

The parent of worker processes loads this and no more: it is there to be light, and quick to start.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress

from perdure.db.embedded import EmbeddedPostgres
from perdure.db.session import Database
from perdure.db.url import DatabaseUrl
from perdure.errors import Unavailable
from perdure.settings import Settings
from perdure.signals import Signals
from perdure.telemetry import log_lines, logs
from perdure.workers.lease_holder import LeaseHolder
from perdure.workers.loop_group import LoopGroup
from perdure.workers.renewer import Renewer

YOUNG_OBJECTS = 20_000
"""So many objects are made before the youngest are looked at for garbage; Python's own number is 700."""


def spare_what_is_loaded() -> None:
    """Call it once a process is ready: what is loaded by then stays for good, and is never looked at for garbage again.

    Measured on a server: each look at all of it stopped everything for 110 ms, and looks took 50 us of a request; on a
    worker 20 of the 58 us of a no-op job.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)


@asynccontextmanager
async def connected(settings: Settings, *, pool_size: int | None = None) -> AsyncIterator[Database]:
    """The database that the settings name, or the embedded one, whatever its schema; ``pool_size``: if not theirs."""
    embedded = None
    if settings.database_url is None:
        embedded = EmbeddedPostgres(settings.data_dir)
        url = await asyncio.to_thread(embedded.start)
    else:
        url = DatabaseUrl.parse(settings.database_url.get_secret_value())
    database = Database(url, pool_size=pool_size or settings.database_pool_size)
    try:
        yield database
    finally:
        await database.close()
        if embedded is not None:
            await asyncio.to_thread(embedded.close)


@asynccontextmanager
async def renewed_leases(
    settings: Settings, holders: Collection[LeaseHolder], changed: asyncio.Event
) -> AsyncIterator[None]:
    """Renews the leases of ``holders`` while the block lasts; ``changed`` is set when one begins or ends."""
    logs.configure(settings.log_format, settings.log_level)
    signals = Signals()
    log_lines.subscribe(signals)
    async with connected(settings, pool_size=1) as database, LoopGroup(signals) as group:
        renewer = Renewer(database, signals, holders, lease_seconds=settings.lease_seconds, woken=changed)
        renewing = group.create_task(renewer.run())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])
            with suppress(Unavailable):
                await renewer.tick()  # gives up what the last of them have left
