"""Brings the schema to the code's version, or says that it is not.

The embedded database upgrades itself; a database given by URL is upgraded by ``perdure db upgrade``, when its owner
says so. Code may run on a newer schema than its own, until a migration that takes something away raises the
``minimum_code_version`` stored with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import SCHEMA
from perdure.db.session import Database
from perdure.errors import SchemaOutdated, SchemaTooNew

CODE_VERSION = 6
"""How many migrations this code has: compared with the schema's ``minimum_code_version``."""

_ADVISORY_LOCK = 0x70657264757265  # "perdure": one process migrates at a time


@dataclass(frozen=True, slots=True)
class SchemaState:
    """How the schema stands to this code: the revisions it lacks, and how old a code may be to work on it."""

    current: str | None
    missing: list[str]
    minimum_code_version: int

    @property
    def is_too_new(self) -> bool:
        return self.minimum_code_version > CODE_VERSION


async def upgrade(database: Database) -> list[str]:
    """Applies what is missing, in one transaction, and returns the revisions applied. Safe to run concurrently."""
    async with database.transaction() as connection:
        await lock(connection)
        return await connection.run_sync(_upgrade)


async def upgrade_restored(connection: AsyncConnection) -> list[str]:
    """Like ``upgrade``, in the transaction that restored a schema; raises where that is too new for us."""
    await lock(connection)
    applied = await connection.run_sync(_upgrade)
    _refuse(await connection.run_sync(_inspect))
    return applied


async def lock(connection: AsyncConnection) -> None:
    """Keeps others from changing the schema until the transaction ends, which may take its time. May be had twice."""
    await connection.execute(text("SET LOCAL statement_timeout = 0"))
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})


async def check(database: Database) -> None:
    """Raises unless this code can work on the schema as it is."""
    _refuse(await state(database))


async def state(database: Database) -> SchemaState:
    """How the schema stands, be there one or none."""
    async with database.snapshot() as connection:
        return await connection.run_sync(_inspect)


def _refuse(state: SchemaState) -> None:
    if state.missing:
        raise SchemaOutdated(
            f"The database lacks {len(state.missing)} migration(s) of this version of Perdure "
            f"({', '.join(state.missing)}). Run `perdure db upgrade` with the same PERDURE_DATABASE_URL, then start "
            "again."
        )
    if state.is_too_new:
        raise SchemaTooNew(
            "The database was upgraded by a newer version of Perdure that this one cannot work beside. "
            "Install the newer version here."
        )


def revisions() -> list[str]:
    """Every revision that this version of the code has, oldest first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()][::-1]


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA}).get_current_revision()


def _missing(current: str | None) -> list[str]:
    """Revisions of ours that a database at ``current`` lacks, oldest first; none when it is ahead of us."""
    known = revisions()
    if current is not None and current not in known:
        return []
    return known if current is None else known[known.index(current) + 1 :]


def _upgrade(connection: Connection) -> list[str]:
    # Looked up in the table: IF NOT EXISTS trusts a cache that a wait for an advisory lock does not refresh.
    exists = connection.execute(
        text("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = :name)"), {"name": SCHEMA}
    )
    if not exists.scalar_one():
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    missing = _missing(_current(connection))
    if missing:
        command.upgrade(_config(connection), "head")
    return missing


def _inspect(connection: Connection) -> SchemaState:
    current = _current(connection)
    missing = _missing(current)
    if missing:
        return SchemaState(current, missing, 0)
    minimum = connection.execute(text("SELECT minimum_code_version FROM perdure.schema_version"))
    return SchemaState(current, [], minimum.scalar_one())
