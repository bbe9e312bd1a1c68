"""The way to the database: one engine a process, and the only commit in the house.

``transaction()`` is a unit of work: what happens inside is committed together when the block ends, or not at all.
A database that cannot be reached is ``Unavailable``, wherever it shows: routes answer 503, loops try again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
from asyncpg.connect_utils import SessionAttribute
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from perdure.clock import DatabaseClock
from perdure.db.driver import DriverConnection, KeptConnections
from perdure.db.revisions import application_name
from perdure.db.url import DatabaseUrl
from perdure.errors import Unavailable

CONNECT_TIMEOUT_SECONDS = 5.0
STATEMENT_TIMEOUT_MS = 30_000
UNHEARD_SECONDS = 35.0
"""How long a unit of work may take. The server ends a statement before that: whoever still waits has lost it."""
IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000
"""A transaction of ours that hangs must not hold its locks, nor the horizon of vacuum, for long."""

MAX_KEPT = 2
"""So many of a process's connections serve statements by themselves: a claim and a conclusion are made at a time."""

WRITABLE = SessionAttribute.read_write
"""Of several servers that the URL names, the one that takes writes: after a failover another than before."""

# Each statement of ours has its index, in the order that it asks for. Where the planner knows too little (tables that
# are new, statistics that are old, a plan kept from when a table was small), it is not to choose what reads more: all
# of a table, or all that is ready, only to sort it. And to compile short statements costs more than it saves.
_PLANNER = {"enable_seqscan": "off", "enable_bitmapscan": "off", "jit": "off"}


_JSONB_VERSION = b"\x01"
"""What a ``jsonb`` begins with as it travels."""


def dump_json(value: Any) -> str:
    return orjson.dumps(value).decode()


class Database:
    """One process's connections to PostgreSQL, and the database's clock."""

    def __init__(self, url: DatabaseUrl, *, pool_size: int = 5) -> None:
        self.url = url
        self.clock = DatabaseClock()
        kept = max(1, min(MAX_KEPT, pool_size // 2))
        self._kept = KeptConnections(self._connect_for_statements, kept)
        self.engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._connect,
            pool_size=max(pool_size - kept, 1),
            max_overflow=0,
            pool_timeout=10,
            json_serializer=dump_json,
            json_deserializer=orjson.loads,
        )

    async def _connect_for_statements(self) -> Any:
        connection = await self._connect(plan_cache_mode="force_generic_plan")
        try:
            await connection.set_type_codec(
                "jsonb",
                schema="pg_catalog",
                encoder=lambda document: _JSONB_VERSION + document.encode(),
                decoder=lambda stored: orjson.loads(stored[len(_JSONB_VERSION) :]),
                format="binary",
            )
        except BaseException:  # whoever asked may have given up
            connection.terminate()
            raise
        return connection

    async def _connect(self, **settings: str) -> Any:
        try:
            return await asyncpg.connect(
                self.url.asyncpg,
                timeout=CONNECT_TIMEOUT_SECONDS,
                target_session_attrs=WRITABLE,
                server_settings={
                    "application_name": application_name(),
                    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                    "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
                    "timezone": "UTC",
                    **_PLANNER,
                    **settings,
                },
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            raise Unavailable(
                "The database cannot be reached just now; try again, or let `perdure doctor` say why."
            ) from error

    @asynccontextmanager
    async def transaction(self, *, is_long: bool = False) -> AsyncIterator[AsyncConnection]:
        """A unit of work: committed when the block ends, rolled back when it raises; a long one may take its time."""
        async with self._connection(None if is_long else UNHEARD_SECONDS) as connection:
            yield connection
            await connection.commit()

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[DriverConnection]:
        """A connection of the driver's own: each statement is a unit of work, committed by itself.

        It takes one round trip, where ``transaction`` takes two besides those of its statements, and its plan is made
        once: for a claim, to plan takes 0.4 ms, and to carry it out 0.15.
        """
        async with _unavailable_when_lost(), asyncio.timeout(UNHEARD_SECONDS), self._kept.one() as driver:
            yield driver

    @asynccontextmanager
    async def snapshot(self, *, of_one_moment: bool = False) -> AsyncIterator[AsyncConnection]:
        """A connection to read from; nothing is committed. Of one moment: each statement sees what the first saw."""
        async with self._connection(UNHEARD_SECONDS) as connection:
            if of_one_moment:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose statements are committed one by one; closed for good when the block ends.

        For what outlives a transaction: migrations, which hold a lock and begin and end transactions of their own.
        """
        async with _unavailable_when_lost(), self.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            try:
                yield connection
            finally:
                await connection.invalidate()

    async def ping(self) -> None:
        """Returns once the database has answered. Raises ``Unavailable``."""
        async with self.snapshot() as connection:
            await connection.execute(text("SELECT 1"))

    @asynccontextmanager
    async def _connection(self, within_seconds: float | None) -> AsyncIterator[AsyncConnection]:
        """The network may swallow a connection and tell nobody: it is given up, not waited for."""
        async with _unavailable_when_lost(), self.engine.connect() as connection:
            try:
                async with asyncio.timeout(within_seconds):
                    yield connection
            except TimeoutError:  # a rollback would not be heard either
                await connection.invalidate()
                raise
            except DBAPIError as error:
                if _sqlstate(error) == _READ_ONLY:
                    await connection.invalidate()
                raise

    async def read_clock(self) -> None:
        """Measures how the database's clock stands; half the round trip is taken as the reading's age."""
        async with self.snapshot() as connection:
            started = time.monotonic()
            reading = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
            self.clock.set(reading, (started + time.monotonic()) / 2)

    async def start_afresh(self) -> None:
        """Makes new connections from now on; those in use are left to whoever waits for them."""
        await self._kept.close(at_once=True)
        await self.engine.dispose(close=False)

    async def close(self) -> None:
        await self._kept.close()
        await self.engine.dispose()


@asynccontextmanager
async def _unavailable_when_lost() -> AsyncIterator[None]:
    try:
        yield
    except _LOST as error:
        raise Unavailable("The database cannot be reached just now; try again.") from error
    except DBAPIError as error:
        if not _will_pass(error):
            raise
        raise Unavailable("The database could not do it just now; try again.") from error


_LOST = (OSError, PoolTimeout, PendingRollbackError, asyncpg.InternalClientError)
"""What it comes to, besides errors of the server, when a connection breaks: the last two as it is used once more, or
while it was between two messages (the driver loses count)."""
_READ_ONLY = "25006"
"""The server of this connection takes no writes (any more): after a failover it is another's to do so."""
_PASSING = ("08", "40", "53", "55P03", "57P", "57014", _READ_ONLY)
"""SQLSTATEs of what passes: connection lost, conflict or deadlock, out of resources, a lock or a statement that took
too long, server shut down (PostgreSQL, appendix A)."""


def _sqlstate(error: DBAPIError) -> str | None:
    sqlstate: str | None = getattr(error.orig, "sqlstate", None)
    return sqlstate


def _will_pass(error: DBAPIError) -> bool:
    """Whether the same thing may succeed later, with nothing changed by us."""
    sqlstate = _sqlstate(error)
    if sqlstate is None:
        return error.connection_invalidated or isinstance(error, InterfaceError | OperationalError)
    return error.connection_invalidated or sqlstate.startswith(_PASSING)
