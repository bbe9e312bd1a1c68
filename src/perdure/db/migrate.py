"""Brings the schema to the code's version, or says that it is not.

The embedded database upgrades itself; a database given by URL is upgraded by ``perdure db upgrade``, when its owner
says so. Code may run on a newer schema than its own, until a migration that takes something away raises the
``minimum_code_version`` stored with it: code that is older does not start, and while it runs the migration is refused.

Others go on working meanwhile. So each migration is a transaction of its own, gives up when it cannot have a lock soon
(whoever came after it would wait too), and makes indexes as ``migrations.online`` does.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import SCHEMA
from perdure.db.revisions import MIGRATIONS, VERSIONS, code_version
from perdure.db.session import Database
from perdure.errors import Conflict, SchemaOutdated, SchemaTooNew

LOCK_TIMEOUT_SECONDS = 5
"""How long a migration may wait for a table that others use, and those behind it with it."""
LOCK_PAUSE_SECONDS = 0.1

_ADVISORY_LOCK = 0x70657264757265  # "perdure": one process migrates at a time
_HAS_SCHEMA = text("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = :name)")
_LOCK_SESSION = text("SELECT pg_try_advisory_lock(:lock)")
_LOCK_TRANSACTION = text("SELECT pg_try_advisory_xact_lock(:lock)")

# Connections of processes that the schema's minimum excludes: each tells the version of its code.
_COUNT_TOO_OLD = text("""
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database()
      AND CASE WHEN application_name ~ '^perdure/[0-9]{1,6}$' THEN split_part(application_name, '/', 2)::integer END
          < (SELECT minimum_code_version FROM perdure.schema_version)
""")


@dataclass(frozen=True, slots=True)
class SchemaState:
    """How the schema stands to this code: the revisions it lacks, and how old a code may be to work on it."""

    current: str | None
    missing: list[str]
    minimum_code_version: int

    @property
    def is_too_new(self) -> bool:
        return self.minimum_code_version > code_version()


async def upgrade(database: Database) -> list[str]:
    """Applies what is missing and returns the revisions applied. Safe to run concurrently, and again after a failure.

    Raises ``Conflict`` while processes run that are too old for what a migration takes away, ``Unavailable`` when
    others use for long what it needs. The migrations before that one stay.
    """
    async with database.session() as connection:
        await _take(connection, _LOCK_SESSION)
        await connection.execute(text("SET statement_timeout = 0"))
        await connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"))
        if not (await connection.execute(_HAS_SCHEMA, {"name": SCHEMA})).scalar_one():
            await connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        missing = _missing(await connection.run_sync(_current))
        if missing:
            await connection.rollback()  # of nothing: so far each statement was committed at once
            await connection.execution_options(isolation_level="READ COMMITTED")
            await connection.run_sync(_run)
        return missing


async def upgrade_restored(connection: AsyncConnection) -> list[str]:
    """Like ``upgrade``, in the transaction that restored a schema; raises where that is too new for us."""
    await lock(connection)
    missing = _missing(await connection.run_sync(_current))
    if missing:
        await connection.run_sync(_run)
    _refuse(await connection.run_sync(_inspect))
    return missing


async def lock(connection: AsyncConnection) -> None:
    """Keeps others from changing the schema until the transaction ends, which may take its time. May be had twice."""
    await connection.execute(text("SET LOCAL statement_timeout = 0"))
    await _take(connection, _LOCK_TRANSACTION)


async def _take(connection: AsyncConnection, lock: TextClause) -> None:
    """Asks until it has the lock. One that waited for it would hold a snapshot, and so hold up who makes an index."""
    while not (await connection.execute(lock, {"lock": _ADVISORY_LOCK})).scalar_one():  # noqa: ASYNC110 (see above)
        await asyncio.sleep(LOCK_PAUSE_SECONDS)


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
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(map(str, VERSIONS)))
    config.attributes["connection"] = connection
    config.attributes["applied"] = _applied
    return config


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA}).get_current_revision()


def _missing(current: str | None) -> list[str]:
    """Revisions of ours that a database at ``current`` lacks, oldest first; none when it is ahead of us."""
    known = revisions()
    if current is not None and current not in known:
        return []
    return known if current is None else known[known.index(current) + 1 :]


def _run(connection: Connection) -> None:
    command.upgrade(_config(connection), "head")


def _applied(ctx: MigrationContext, step: MigrationInfo, **_others: Any) -> None:
    """Called before a migration is committed: nobody may be there whom it excludes."""
    assert ctx.connection is not None  # noqa: S101 (handed in by us)
    too_old = ctx.connection.execute(_COUNT_TOO_OLD).scalar_one()
    if too_old:
        raise Conflict(
            f"Migration {step.up_revision_id} takes away what processes of an older version of Perdure use, and some "
            f"run ({too_old} connections). Stop them, or replace them by this version; then run `perdure db upgrade` "
            "again."
        )


def _inspect(connection: Connection) -> SchemaState:
    current = _current(connection)
    missing = _missing(current)
    if missing:
        return SchemaState(current, missing, 0)
    minimum = connection.execute(text("SELECT minimum_code_version FROM perdure.schema_version"))
    return SchemaState(current, [], minimum.scalar_one())
