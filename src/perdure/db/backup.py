"""Dumps everything of ours, while the platform runs: ``pg_dump`` reads one moment of the database.

The leases of the workers stay out: in another place they would make running jobs look held by somebody. What files
hold lies in the file store, and is not in the database.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

from sqlalchemy import text

from perdure.db.base import SCHEMA
from perdure.db.embedded import MAJOR_VERSION, bundled_programs
from perdure.db.embedded_account import HANDED_ON
from perdure.db.session import Database
from perdure.db.url import DatabaseUrl
from perdure.errors import ConfigurationError, Conflict, EmbeddedServerError

_LAST_WORDS = 3


async def dump(database: Database, file: Path, *, replace: bool) -> None:
    """Writes an archive for ``restore`` and for PostgreSQL's own ``pg_restore``: whole or not at all, for us alone.

    Raises ``Conflict`` where ``file`` exists, unless it is to be replaced.
    """
    program = find_program("pg_dump", await _server_version(database))
    try:
        await asyncio.to_thread(_write, program, database.url, file, replace=replace)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written ({error.strerror}). Name another place.") from None


def _write(program: str, url: DatabaseUrl, file: Path, *, replace: bool) -> None:
    if file.exists() and not replace:
        raise Conflict(f"{file} exists. Name another file, or give --force to replace it.")
    uri, password = url.for_programs()
    unfinished = file.with_name(f".{file.name}.{os.getpid()}.partial")
    unfinished.touch(mode=0o600, exist_ok=False)
    try:
        done = subprocess.run(
            [
                *(program, "--format=custom", "--no-password", f"--schema={SCHEMA}"),
                *(f"--exclude-table-data={SCHEMA}.workers", f"--file={unfinished}", f"--dbname={uri}"),
            ],
            env=program_environment() | password,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ConfigurationError(f"The dump failed; nothing was written. {last_words(done.stderr)}")
        unfinished.rename(file)  # pg_dump has synced it
    finally:
        unfinished.unlink(missing_ok=True)


async def _server_version(database: Database) -> int:
    """The server's major version. Raises ``ConfigurationError`` where there is nothing of ours to dump."""
    async with database.snapshot() as connection:
        found = await connection.execute(
            text("SELECT current_setting('server_version_num')::int / 10000, to_regnamespace(:schema) IS NOT NULL"),
            {"schema": SCHEMA},
        )
        version, is_there = found.one()
    if not is_there:
        raise ConfigurationError(
            "There is no Perdure in this database. Name the one you mean with PERDURE_DATABASE_URL or PERDURE_DATA_DIR."
        )
    return int(version)


def find_program(name: str, version: int) -> str:
    """One of PostgreSQL's programs, not older than ``version`` as far as we know: the bundled one, or the machine's."""
    found = shutil.which(name)
    if version <= MAJOR_VERSION or found is None:
        try:
            return str(bundled_programs() / name)
        except EmbeddedServerError:  # no wheel for this platform
            pass
    if found is None:
        raise ConfigurationError(
            f"This needs `{name}` of PostgreSQL {version} or newer. Install PostgreSQL's client programs."
        )
    return found


def program_environment() -> dict[str, str]:
    """All that the programs see of our environment, which may say how servers are reached: the rest is not theirs."""
    return {name: value for name, value in os.environ.items() if name in HANDED_ON or name.startswith("PG")}


def last_words(said: str) -> str:
    return "It said: " + "; ".join(said.strip().splitlines()[-_LAST_WORDS:])
