"""Load under faults: what the mixed phase, the kills and the mutant have in common."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chaos import oracle, records
from chaos.clients import Clients
from chaos.installation import Installation
from chaos.records import Records

DRAIN_SECONDS = 120.0
"""Long enough for a mail whose sender was killed: its lease is 45 s."""
_LEFT = """
    SELECT (SELECT count(*) FROM perdure.jobs WHERE status NOT IN ('SUCCEEDED', 'FAILED', 'CANCELLED'))
         + (SELECT count(*) FROM perdure.deliveries WHERE status IN ('PENDING', 'SENDING', 'RETRYING')) AS count
"""


@asynccontextmanager
async def loaded(installation: Installation, clients: Clients) -> AsyncIterator[None]:
    """Clients submit, and what ends is started again, while the block lasts. All answers are there at its end."""
    await installation.ready()
    tasks = [asyncio.create_task(installation.keep()), asyncio.create_task(clients.run())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await clients.finish()
    for error in ended:
        if isinstance(error, Exception):  # not the cancellation
            raise error


async def drained(installation: Installation) -> float:
    """Lets everything come to its end, without faults, and returns how many seconds that took.

    A worker that does not come back is an error; jobs and mails that do not end are for the oracle.
    """
    started = time.monotonic()
    for program in installation.programs:
        if not program.is_alive:
            program.start()
    await installation.ready()
    while time.monotonic() - started < DRAIN_SECONDS:
        [left] = await installation.server.query(_LEFT)
        if not left["count"]:
            break
        await asyncio.sleep(0.2)
    return time.monotonic() - started


async def judged(installation: Installation, clients: Clients) -> tuple[dict[str, list[str]], Records]:
    """What the oracle finds, and what it looked at."""
    found = await records.read(installation.server)
    return oracle.judge(clients.history, found, installation.mail.received), found
