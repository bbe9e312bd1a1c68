"""The migrations make what the models say, once, whoever runs them and however often."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from tests.databases import create_database
from tests.later_versions import CONTRACT, EXPAND, INDEX, being, write

from perdure.db import migrate, revisions
from perdure.db.backup import dump
from perdure.db.base import SCHEMA, Base
from perdure.db.restore import restore
from perdure.db.session import Database
from perdure.db.url import DatabaseUrl
from perdure.errors import Conflict, SchemaOutdated, SchemaTooNew, Unavailable

OLD_JOBS = text("""
    INSERT INTO perdure.jobs
        (job_id, job_type, queue, rank, status, run, attempt, max_attempts, fence, timeout_seconds,
         retry_base_seconds, retry_max_seconds, run_at, created_at, payload, tags)
    SELECT job_id::uuid, 't', 'q', 0, 'QUEUED', 1, 0, 4, 0, 60, 2, 300, now(), now(), '{}', tags::jsonb
    FROM (VALUES ('019a0000-0000-7000-8000-000000000001', '[]'),
                 ('019a0000-0000-7000-8000-000000000002', '["nightly", "big"]')) AS old(job_id, tags)
""")


def _ours(_object, name, kind, _reflected, _compared):
    return not (kind == "table" and name == "alembic_version")


def _differences(connection):
    options = {
        "include_schemas": True,
        "include_object": _ours,
        "compare_type": True,
        "version_table_schema": SCHEMA,
    }
    return compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)


async def test_the_models_are_what_the_migrations_make(any_database):
    async with any_database.snapshot() as connection:
        assert await connection.run_sync(_differences) == []


async def test_upgrading_again_changes_nothing(any_database):
    assert await migrate.upgrade(any_database) == []


async def test_everything_lies_in_our_schema(any_database):
    async with any_database.snapshot() as connection:
        found = await connection.execute(
            text(
                "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'perdure')"
            )
        )
        assert found.scalar_one() == 0


async def test_many_may_upgrade_at_once(database):
    async with database.transaction() as connection:
        await connection.execute(text("DROP SCHEMA perdure CASCADE"))
    with pytest.raises(SchemaOutdated, match="perdure db upgrade"):
        await migrate.check(database)
    applied = await asyncio.gather(*(migrate.upgrade(database) for _ in range(3)))
    assert sorted(applied) == [[], [], migrate.revisions()]
    await migrate.check(database)


async def test_the_tags_of_jobs_that_are_there_are_found(database, monkeypatch):
    before = ScriptDirectory.from_config(migrate._config()).get_revision("0016").down_revision
    async with database.transaction() as connection:
        await connection.execute(text("DROP SCHEMA perdure CASCADE"))
    with monkeypatch.context() as until:
        until.setattr(migrate, "_run", lambda connection: command.upgrade(migrate._config(connection), before))
        await migrate.upgrade(database)
    async with database.transaction() as connection:
        await connection.execute(OLD_JOBS)
    await migrate.upgrade(database)
    async with database.snapshot() as connection:
        tags = (await connection.execute(text("SELECT tag, job_id::text FROM perdure.job_tags ORDER BY tag"))).all()
    assert [(tag, job_id[-1]) for tag, job_id in tags] == [("big", "2"), ("nightly", "2")]


async def test_code_that_is_too_old_for_the_schema_is_refused(database):
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE perdure.schema_version SET minimum_code_version = 1000"))
    try:
        with pytest.raises(SchemaTooNew):
            await migrate.check(database)
    finally:
        async with database.transaction() as connection:
            await connection.execute(text("UPDATE perdure.schema_version SET minimum_code_version = 1"))


async def test_code_may_run_on_a_newer_schema(database):
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE perdure.alembic_version SET version_num = '9999'"))
    try:
        await migrate.check(database)
        assert await migrate.upgrade(database) == []
    finally:
        async with database.transaction() as connection:
            await connection.execute(
                text("UPDATE perdure.alembic_version SET version_num = :head"), {"head": migrate.revisions()[-1]}
            )


def test_the_version_of_the_code_is_its_newest_migration():
    assert [int(revision) for revision in migrate.revisions()] == list(range(1, revisions.code_version() + 1))


@pytest.fixture
async def old_database(embedded_url: str, worker_id: str) -> AsyncIterator[Database]:
    """One of its own, with this code's schema, which is to be upgraded to a later one."""
    database = Database(DatabaseUrl.parse(await create_database(embedded_url, f"upgrades_{worker_id}")))
    yield database
    await database.close()


@pytest.fixture
async def others(old_database: Database) -> AsyncIterator[list[asyncpg.Connection]]:
    """Two who use the database meanwhile."""
    connections = [await asyncpg.connect(old_database.url.asyncpg) for _ in range(2)]
    yield connections
    for connection in connections:
        await connection.close()


READ = "SELECT count(*) FROM perdure.jobs"
WRITE = "UPDATE perdure.jobs SET queue = queue"
IS_WHOLE = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'perdure.jobs_later'::regclass"
WAITING_FOR_WRITERS = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query ~ '^(CREATE|DROP) INDEX CONCURRENTLY'
"""


async def test_an_index_is_made_beside_writers_and_anew_after_a_failure(old_database, others, tmp_path):
    writer, other = others
    with being(write(tmp_path / "expand", EXPAND)):
        await migrate.upgrade(old_database)
        with being(write(tmp_path / "index", INDEX)):
            async with writer.transaction():
                await writer.execute(WRITE)  # whoever makes an index waits for the end of this
                upgrade = asyncio.create_task(migrate.upgrade(old_database))
                await other.fetchval("SELECT pg_terminate_backend($1)", await found(other, WAITING_FOR_WRITERS))
                with pytest.raises(Unavailable):
                    await upgrade
                assert await other.fetchval(IS_WHOLE) is False
                upgrades = asyncio.gather(migrate.upgrade(old_database), migrate.upgrade(old_database))
                await found(other, WAITING_FOR_WRITERS)
                await other.execute(f"SET lock_timeout = 200; {WRITE}")
            assert sorted(await upgrades) == [[], migrate.revisions()[-1:]]
    assert await other.fetchval(IS_WHOLE) is True


async def found(connection: asyncpg.Connection, query: str):
    """What the query finds, once it does."""
    while (value := await connection.fetchval(query)) is None:
        pass
    return value


async def test_a_migration_gives_up_before_it_holds_others_up(old_database, others, tmp_path, monkeypatch):
    reader, other = others
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT_SECONDS", 0.1)
    with being(write(tmp_path / "later", "def upgrade():\n    op.execute('SELECT 1')\n", EXPAND)):
        async with reader.transaction():
            await reader.execute(READ)  # as a dump does, for as long as it takes
            with pytest.raises(Unavailable):
                await migrate.upgrade(old_database)
            await other.execute(f"SET lock_timeout = 200; {WRITE}")
        assert await migrate.upgrade(old_database) == migrate.revisions()[-1:], "what was applied before stays"


async def test_nothing_is_taken_from_code_that_runs_and_older_code_starts_no_more(old_database, others, tmp_path):
    await old_database.read_clock()  # it is connected from now on
    with being(write(tmp_path / "later", EXPAND, INDEX, CONTRACT)):
        later_database = Database(old_database.url)
        with pytest.raises(Conflict, match="run `perdure db upgrade` again"):
            await migrate.upgrade(later_database)
        assert await others[0].fetchval(f"{READ} WHERE later = 'unknown'") == 0, "it is there"
        await old_database.close()
        assert await migrate.upgrade(later_database) == migrate.revisions()[-1:]
        await migrate.check(later_database)
        await later_database.close()
    with pytest.raises(SchemaTooNew, match="Install the newer version"):
        await migrate.check(old_database)


async def test_a_restore_brings_an_older_dump_to_a_later_version_in_its_transaction(old_database, tmp_path):
    await dump(old_database, tmp_path / "old", replace=False)
    await old_database.close()
    with being(write(tmp_path / "later", EXPAND, INDEX)):
        later_database = Database(old_database.url)
        restored = await restore(later_database, tmp_path / "old", replace=False)
        await later_database.close()
        assert restored.applied == migrate.revisions()[-2:]
