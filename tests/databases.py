"""Databases for tests: made on a server that runs, with our schema in them."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import asyncpg
from sqlalchemy import text

from perdure.db import migrate
from perdure.db.base import Base
from perdure.db.session import Database
from perdure.db.url import DatabaseUrl

Result = TypeVar("Result")


def run_aside(coroutine: Coroutine[None, None, Result]) -> Result:
    """Runs it in a thread: a fixture of a session or a module may be asked for while a test's loop already runs."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


async def create_database(server_url: str, name: str) -> str:
    """Creates the database, with our schema in it, and returns its URL."""
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    path, question, query = server_url.partition("?")
    url = f"{path.rpartition('/')[0]}/{name}{question}{query}"
    database = Database(DatabaseUrl.parse(url))
    try:
        await migrate.upgrade(database)
    finally:
        await database.close()
    return url


async def empty(database: Database) -> None:
    """Takes away what a test left in it."""
    tables = [str(table) for table in Base.metadata.sorted_tables if table.name != "schema_version"]
    async with database.transaction() as connection:
        await connection.execute(text(f"TRUNCATE {', '.join(tables)}"))


async def empty_url(url: str) -> None:
    """The same, for whoever has no connections of its own."""
    database = Database(DatabaseUrl.parse(url))
    try:
        await empty(database)
    finally:
        await database.close()
