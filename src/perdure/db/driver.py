"""The driver under SQLAlchemy, where a statement is short and asked for thousands of times a second.

What SQLAlchemy adds to one costs 200 us of CPU, more than all the rest of a submission. Errors are still raised as
SQLAlchemy would raise them, so that whoever carries on or gives up judges by one kind.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError
from sqlalchemy.ext.asyncio import AsyncConnection


class Fetcher(Protocol):
    """Whatever answers a statement by rows, each with its values by name. Parameters are ``$1``, ``$2`` …"""

    async def fetch(self, query: str, *values: Any) -> Sequence[Any]: ...


class InTransaction:
    """Fetches in a transaction of SQLAlchemy's, which begins with the first statement if it has not yet."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def fetch(self, query: str, *values: Any) -> Sequence[Any]:
        answer = await self._connection.exec_driver_sql(query, values)
        return answer.mappings().all() if answer.returns_rows else ()


class DriverConnection(Fetcher, Protocol):
    """As much of asyncpg's connection as repositories use."""

    async def execute(self, query: str, *values: Any) -> str:
        """Returns what the server says of it: ``INSERT 0 3``."""
        ...

    async def copy_records_to_table(
        self, table_name: str, *, records: Iterable[Sequence[Any]], columns: Sequence[str], schema_name: str
    ) -> str: ...

    async def copy_to_table(
        self,
        table_name: str,
        *,
        source: bytearray,
        columns: Sequence[str],
        schema_name: str,
        format: str,  # noqa: A002 (the driver's name for it)
    ) -> str:
        """``source``: rows as PostgreSQL's binary format has them."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Any]:
        """Committed when the block ends, rolled back when it raises."""
        ...

    def is_in_transaction(self) -> bool: ...

    def is_closed(self) -> bool: ...


_BEGIN = text("SELECT")
"""SQLAlchemy begins a transaction with its first statement."""


async def within_transaction(connection: AsyncConnection, driver: DriverConnection) -> None:
    """Begins the transaction of ``connection``, unless it has, so that what ``driver`` does is part of it."""
    if not driver.is_in_transaction():
        await connection.execute(_BEGIN)


class KeptConnections:
    """Up to ``limit`` connections of the driver's own, opened when needed and kept: for statements by themselves.

    To take one costs nothing, where the engine's pool takes 0.4 ms to hand one out and take it back.
    """

    def __init__(self, connect: Callable[[], Awaitable[Any]], limit: int) -> None:
        self._connect = connect
        self._room = asyncio.Semaphore(limit)
        self._idle: list[Any] = []

    @asynccontextmanager
    async def one(self) -> AsyncIterator[DriverConnection]:
        """A connection; closed if the block ends with an error, other than that a row may not be."""
        async with self._room:
            driver = self._take() or await self._connect()
            try:
                yield driver
            except asyncpg.IntegrityConstraintViolationError as error:
                self._idle.append(driver)
                raise _as_sqlalchemy_says(error, is_lost=False) from error
            except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                is_lost = driver.is_closed()
                driver.terminate()
                raise _as_sqlalchemy_says(error, is_lost=is_lost) from error
            except BaseException:  # it may still be at work on a statement
                driver.terminate()
                raise
            self._idle.append(driver)

    async def close(self, *, at_once: bool = False) -> None:
        """Closes those that are idle; at once: without a word to the server, which may not hear it."""
        idle, self._idle = self._idle, []
        for driver in idle:
            if at_once:
                driver.terminate()
            else:
                await driver.close()

    def _take(self) -> Any:
        """One that is idle and has not been closed by the server; None where there is none."""
        while self._idle:
            driver = self._idle.pop()
            if not driver.is_closed():
                return driver
        return None


@asynccontextmanager
async def driver_of(connection: AsyncConnection) -> AsyncIterator[DriverConnection]:
    """The connection that ``connection`` stands on, within its transaction where it has begun one."""
    driver: DriverConnection = (await connection.get_raw_connection()).driver_connection  # type: ignore[assignment]
    try:
        yield driver
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        is_lost = driver.is_closed()
        if is_lost:  # SQLAlchemy cannot know: it was not asked
            await connection.invalidate()
        raise _as_sqlalchemy_says(error, is_lost=is_lost) from error


def _as_sqlalchemy_says(error: Exception, *, is_lost: bool) -> DBAPIError:
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return IntegrityError("of the driver", None, error)
    if isinstance(error, asyncpg.PostgresError):
        return DBAPIError("of the driver", None, error, connection_invalidated=is_lost)
    return InterfaceError("of the driver", None, error, connection_invalidated=is_lost)
