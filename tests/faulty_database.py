"""A database whose commits can be told to go wrong, as a lost connection makes them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.driver import DriverConnection
from perdure.db.session import Database
from perdure.errors import Unavailable


class Fault(Enum):
    NONE = "all is well"
    BEFORE_COMMIT = "nothing is committed"
    AFTER_COMMIT = "everything is committed, and nobody hears of it"


class FaultyDatabase(Database):
    """Set ``fault`` for the next transaction; those after it are well again. All answer late, if told so."""

    fault = Fault.NONE
    answers_after_seconds = 0.0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        fault, self.fault = self.fault, Fault.NONE
        async with super().transaction() as connection:
            yield connection
            if self.answers_after_seconds:
                await connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": self.answers_after_seconds})
            if fault is Fault.BEFORE_COMMIT:
                raise Unavailable(fault.value)
        if fault is Fault.AFTER_COMMIT:
            raise Unavailable(fault.value)

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[DriverConnection]:
        fault, self.fault = self.fault, Fault.NONE
        if fault is Fault.BEFORE_COMMIT:
            raise Unavailable(fault.value)
        async with super().statement() as driver:
            yield driver
        if fault is Fault.AFTER_COMMIT:
            raise Unavailable(fault.value)
