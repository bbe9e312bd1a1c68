"""Execute, then error: a share of all transactions is committed and then reported as failed.

That is what a connection that breaks between a commit and its answer looks like, as often as one likes, and at every
repository call. Workers install it with the processors; ``python -m chaos.ambiguous_commits serve …`` is a server
with it.
"""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure import cli
from perdure.db.driver import DriverConnection
from perdure.db.session import Database
from perdure.errors import Unavailable

SHARE = "CHAOS_AMBIGUOUS_SHARE"
"""The environment variable that says which share of transactions; none: nothing is installed."""
SAID = "chaos.ambiguous_commit"
"""The line that says so in the log of the process."""


def install_if_asked() -> None:
    share = float(os.environ.get(SHARE, "0"))
    if share:
        _install(share)


def _install(share: float) -> None:
    committed, stated = Database.transaction, Database.statement
    chance = random.SystemRandom()

    def go_wrong() -> None:
        if chance.random() < share:
            structlog.get_logger("perdure").warning(SAID)
            raise Unavailable("Chaos: this was committed, and nobody was told.")

    @asynccontextmanager
    async def transaction(self: Database, **options: bool) -> AsyncIterator[AsyncConnection]:
        async with committed(self, **options) as connection:
            yield connection
        go_wrong()

    @asynccontextmanager
    async def statement(self: Database) -> AsyncIterator[DriverConnection]:
        async with stated(self) as connection:
            yield connection
        go_wrong()

    Database.transaction = transaction  # type: ignore[method-assign]
    Database.statement = statement  # type: ignore[method-assign]


if __name__ == "__main__":
    install_if_asked()
    cli.main()
