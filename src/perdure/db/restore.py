"""Restores a dump in one transaction: what was there is replaced and brought up to date, or nothing has changed.

``pg_restore`` only turns the archive into a script, which runs through our own connection. It could not drop, restore
and upgrade as one, and a newer one sets what an older server does not know.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db import migrate
from perdure.db.backup import find_program, last_words, program_environment
from perdure.db.base import SCHEMA
from perdure.db.session import Database
from perdure.errors import ConfigurationError, Conflict

BLOCK_BYTES = 262_144
_COPY = re.compile(rf"COPY {SCHEMA}\.(?P<table>\w+) \((?P<columns>.*)\) FROM stdin;\n".encode())
_END_OF_ROWS = b"\\.\n"
_LEFT_OUT = (b"--", b"\n", b"\\restrict ", b"\\unrestrict ", b"SET transaction_timeout = 0;")
"""Lines that say nothing, words for psql, and a setting that servers before 17 lack (and that is 0 as it is)."""

# Whether anybody would miss what is there: jobs, or the keys that callers hold. An older schema may lack the table.
_MISSED = {
    "jobs": text("SELECT EXISTS (SELECT FROM perdure.jobs)"),
    "api_keys": text("SELECT EXISTS (SELECT FROM perdure.api_keys)"),
}

# The other processes of this platform: all of ours give such a name.
_OTHERS = text("""
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'perdure/%' AND pid <> pg_backend_pid()
""")


@dataclass(frozen=True, slots=True)
class Restored:
    """How many jobs came back, and the revisions that brought their schema to this version of the code."""

    jobs: int
    applied: list[str]


async def restore(database: Database, file: Path, *, replace: bool) -> Restored:
    """Replaces everything of ours by what the dump holds.

    Raises ``Conflict`` while other processes use the platform, or where it holds jobs or API keys that are not to be
    replaced; ``ConfigurationError`` for a file that is no whole dump; ``SchemaTooNew`` for one of a newer version.
    """
    try:
        async with database.transaction(is_long=True) as connection:
            await migrate.lock(connection)
            await _refuse_if_used(connection, replace=replace)
            await connection.execute(text("DROP SCHEMA IF EXISTS perdure CASCADE"))
            raw: Any = (await connection.get_raw_connection()).driver_connection
            version = raw.get_server_version().major
            with _script(find_program("pg_restore", version), file) as script:
                await _run(_lines(script), raw)
            await connection.execute(text("RESET ALL"))  # what the script set for its own sake
            await _refuse_foreign(connection, file)
            applied = await migrate.upgrade_restored(connection)
            jobs = (await connection.execute(text("SELECT count(*) FROM perdure.jobs"))).scalar_one()
            return Restored(jobs, applied)
    except asyncpg.PostgresError as error:
        raise ConfigurationError(
            f"The database does not take what is in {file}; nothing was changed. It said: {error.args[0]}"
        ) from error


async def _refuse_if_used(connection: AsyncConnection, *, replace: bool) -> None:
    if (await connection.execute(_OTHERS)).scalar_one():
        raise Conflict("Perdure runs on this database. Stop its servers and workers, then restore.")
    if replace:
        return
    for table, query in _MISSED.items():
        if await _has(connection, table) and (await connection.execute(query)).scalar_one():
            raise Conflict(
                "This platform holds jobs or API keys, which the restore would replace. Restore into a new data "
                "directory or database, or give --force to lose what is here (`perdure db dump` keeps it first)."
            )


async def _refuse_foreign(connection: AsyncConnection, file: Path) -> None:
    if not await _has(connection, "schema_version"):
        raise ConfigurationError(
            f"{file} is a dump of something else; nothing was changed. `perdure db dump` makes one."
        )


async def _has(connection: AsyncConnection, table: str) -> bool:
    found = await connection.execute(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": f"{SCHEMA}.{table}"})
    return bool(found.scalar_one())


@contextmanager
def _script(program: str, file: Path) -> Iterator[IO[bytes]]:
    """The archive as SQL. Raises at the end of the block when it could not be read to its own end."""
    with tempfile.TemporaryFile() as said:
        command = [program, "--no-owner", "--no-privileges", "--no-tablespaces", "--file=-", str(file.absolute())]
        with subprocess.Popen(
            command, env=program_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
        ) as process:
            assert process.stdout is not None  # noqa: S101 (asked for above)
            try:
                yield process.stdout
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            said.seek(0)
            explanation = last_words(said.read().decode(errors="replace"))
            raise ConfigurationError(f"{file} cannot be read as a dump; nothing was changed. {explanation}")


async def _lines(script: IO[bytes]) -> AsyncIterator[bytes]:
    while block := await asyncio.to_thread(script.readlines, BLOCK_BYTES):
        for line in block:
            yield line


async def _run(lines: AsyncIterator[bytes], connection: Any) -> None:
    """Runs the statements as they come; the rows of a table follow its COPY, and are streamed to the server."""
    statements: list[bytes] = []
    async for line in lines:
        if copy := _COPY.fullmatch(line):
            await _execute(connection, statements)
            statements = []
            columns = copy["columns"].decode().replace('"', "").split(", ")
            await connection.copy_to_table(
                copy["table"].decode(), schema_name=SCHEMA, columns=columns, source=_rows(lines), format="text"
            )
        elif not line.startswith(_LEFT_OUT):
            statements.append(line)
    await _execute(connection, statements)


async def _execute(connection: Any, statements: Sequence[bytes]) -> None:
    if statements:  # the driver cannot bear an empty query
        await connection.execute(b"".join(statements).decode())


async def _rows(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Up to the end of the table, in blocks."""
    block = bytearray()
    async for line in lines:
        if line == _END_OF_ROWS:
            break
        block += line
        if len(block) >= BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)
