"""The run's own PostgreSQL, what is done to it, and a connection that outlives that."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg

from perdure.db.embedded import EmbeddedPostgres, bundled_programs
from perdure.db.embedded_account import choose_account, reachable_programs
from perdure.db.url import DatabaseUrl

PATIENCE_SECONDS = 30.0
RETRY_SECONDS = 0.1
_LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
_BACKENDS = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND application_name <> 'chaos'
    ORDER BY pid
"""


class Server:
    """The embedded server of a run. ``query`` waits while it is down."""

    def __init__(self, url: DatabaseUrl) -> None:
        self.url = url.asyncpg
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._turn = asyncio.Lock()

    async def query(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """The rows; asked again while the server is down, so only what may be done twice is asked here."""
        until = time.monotonic() + PATIENCE_SECONDS
        async with self._turn:
            while True:
                try:
                    return await (await self._connected()).fetch(statement, *arguments)
                except _LOST:
                    if time.monotonic() > until:
                        raise
                    await asyncio.sleep(RETRY_SECONDS)

    async def _connected(self) -> asyncpg.Connection[asyncpg.Record]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self.url, server_settings={"application_name": "chaos"})
        return self._connection

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()

    async def terminate_backend(self, chance: random.Random) -> int:
        """Ends one connection of the platform, whatever it is doing; returns how many that are."""
        backends = [row["pid"] for row in await self.query(_BACKENDS)]
        if backends:
            await self.query("SELECT pg_terminate_backend($1)", chance.choice(backends))
        return min(len(backends), 1)

    async def restart(self) -> None:
        """``pg_ctl restart -m immediate``: no checkpoint, no goodbye; what was committed is recovered from the log."""
        [row] = await self.query("SHOW data_directory")
        await asyncio.to_thread(_restart, Path(row["data_directory"]))


def _restart(data: Path) -> None:
    account = choose_account()
    program = reachable_programs(account, bundled_programs()) / "pg_ctl"
    options = ("--pgdata", data.name, "--wait", "--silent", "--log", "start.log", "--mode", "immediate")
    until = time.monotonic() + PATIENCE_SECONDS
    while (done := account.run(program, *options, "restart", folder=data.parent)).returncode != 0:
        if time.monotonic() > until:  # backends of the old server may need a moment to see that it is gone
            raise RuntimeError(f"PostgreSQL did not come back: {done.stderr or done.stdout}")
        time.sleep(RETRY_SECONDS)


@asynccontextmanager
async def started(data_dir: Path) -> AsyncIterator[Server]:
    """A server with a database of its own, while the block lasts."""
    embedded = EmbeddedPostgres(data_dir)
    server = Server(await asyncio.to_thread(embedded.start))
    try:
        yield server
    finally:
        with suppress(*_LOST):
            await server.close()
        embedded.close()
