"""A dump is everything of ours at one moment; a restore is all of it, or nothing has changed."""

import pytest
from alembic import command
from sqlalchemy import text
from tests.repositories.test_job_repository import a_job, a_worker, add, claim

from perdure.db import migrate
from perdure.db.backup import dump
from perdure.db.base import Base
from perdure.db.restore import BLOCK_BYTES, Restored, restore
from perdure.db.session import Database
from perdure.db.url import DatabaseUrl
from perdure.errors import ConfigurationError, Conflict, SchemaTooNew

ODD = {"text": "a\tb\\.\n\\N ü\u2028'\"", "empty": "", "null": None, "numbers": [1e300, 2**53 - 1, -0.5]}


async def rows(database: Database) -> dict[str, list]:
    """Every row of every table but the leases, as text."""
    found = {}
    async with database.snapshot() as connection:
        for table in Base.metadata.sorted_tables:
            if table.name != "workers":
                answer = await connection.execute(text(f"SELECT t::text FROM perdure.{table.name} AS t ORDER BY 1"))
                found[table.name] = list(answer.scalars())
    return found


async def change(database: Database, statement: str) -> None:
    async with database.transaction() as connection:
        await connection.execute(text(statement))


async def test_what_is_restored_is_what_was_dumped(any_database, tmp_path):
    long = {"text": "x" * (BLOCK_BYTES + 1)}
    await add(any_database, *(a_job(any_database, payload=payload) for payload in (ODD, long, {})))
    await claim(any_database, await a_worker(any_database), limit=1)
    before = await rows(any_database)
    file = tmp_path / "perdure.dump"
    await dump(any_database, file, replace=False)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    await change(any_database, "DELETE FROM perdure.jobs")
    await change(any_database, "CREATE TABLE perdure.of_a_newer_version (id integer)")
    assert await restore(any_database, file, replace=True) == Restored(jobs=3, applied=[])
    assert await rows(any_database) == before
    async with any_database.snapshot() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM perdure.workers"))).scalar_one() == 0
        shown = await connection.execute(text("SHOW statement_timeout"))
        assert shown.scalar_one() == "30s", "the script's settings do not stay"
    await migrate.check(any_database)


async def test_an_older_dump_is_brought_up_to_date(database, tmp_path):
    def make_older(connection):
        connection.execute(text("DROP SCHEMA perdure CASCADE"))
        connection.execute(text("CREATE SCHEMA perdure"))
        command.upgrade(migrate._config(connection), migrate.revisions()[0])

    try:
        async with database.transaction() as connection:
            await connection.run_sync(make_older)
        await dump(database, tmp_path / "old", replace=False)
        restored = await restore(database, tmp_path / "old", replace=False)
        assert restored.applied == migrate.revisions()[1:]
        await migrate.check(database)
    finally:
        await migrate.upgrade(database)


async def test_a_dump_of_a_version_too_new_changes_nothing(database, tmp_path):
    await change(database, "UPDATE perdure.schema_version SET minimum_code_version = 1000")
    try:
        await dump(database, tmp_path / "new", replace=False)
    finally:
        await change(database, "UPDATE perdure.schema_version SET minimum_code_version = 1")
    await add(database, a_job(database))
    before = await rows(database)
    with pytest.raises(SchemaTooNew):
        await restore(database, tmp_path / "new", replace=True)
    assert await rows(database) == before


async def test_jobs_and_keys_are_not_replaced_unasked(database, tmp_path):
    await dump(database, tmp_path / "empty", replace=False)
    assert await restore(database, tmp_path / "empty", replace=False) == Restored(jobs=0, applied=[])
    await add(database, a_job(database))
    with pytest.raises(Conflict, match="perdure db dump"):
        await restore(database, tmp_path / "empty", replace=False)
    assert await restore(database, tmp_path / "empty", replace=True) == Restored(jobs=0, applied=[])


async def test_a_platform_in_use_is_left_alone(database, tmp_path):
    await dump(database, tmp_path / "x", replace=False)
    other = Database(database.url)
    try:
        async with other.snapshot() as connection:
            await connection.execute(text("SELECT 1"))
            with pytest.raises(Conflict, match="Stop"):
                await restore(database, tmp_path / "x", replace=True)
    finally:
        await other.close()


async def test_a_file_that_is_no_whole_dump_changes_nothing(database, tmp_path):
    await add(database, *(a_job(database, payload=ODD) for _ in range(100)))
    whole = tmp_path / "whole"
    await dump(database, whole, replace=False)
    with pytest.raises(Conflict, match="--force"):
        await dump(database, whole, replace=False)
    before = await rows(database)
    content = whole.read_bytes()
    for bad in (content[: len(content) * 2 // 3], content[:100], b"something else", b""):
        whole.write_bytes(bad)
        with pytest.raises(ConfigurationError, match="nothing was changed"):
            await restore(database, whole, replace=True)
    assert await rows(database) == before
    await dump(database, whole, replace=True)
    assert await restore(database, whole, replace=True) == Restored(jobs=100, applied=[])


async def test_a_dump_that_fails_leaves_no_file(database, tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be written"):
        await dump(database, tmp_path / "nowhere" / "x", replace=False)
    await change(database, "ALTER SCHEMA perdure RENAME TO elsewhere")
    try:
        with pytest.raises(ConfigurationError, match="no Perdure"):
            await dump(database, tmp_path / "x", replace=False)
    finally:
        await change(database, "ALTER SCHEMA elsewhere RENAME TO perdure")
    # One whose statements may wait for a lock for a moment only.
    impatient = Database(DatabaseUrl.parse(f"{database.url.asyncpg}&options=-c%20lock_timeout%3D100"))
    try:
        async with database.transaction() as connection:
            await connection.execute(text("LOCK TABLE perdure.jobs IN ACCESS EXCLUSIVE MODE"))
            with pytest.raises(ConfigurationError, match="nothing was written"):
                await dump(impatient, tmp_path / "x", replace=False)
    finally:
        await impatient.close()
    assert list(tmp_path.iterdir()) == []
