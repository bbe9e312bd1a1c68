"""The migrations make what the models say, once, whoever runs them and however often."""

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from perdure.db import migrate
from perdure.db.base import SCHEMA, Base
from perdure.errors import SchemaOutdated, SchemaTooNew


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


def test_the_codes_version_counts_its_migrations():
    assert len(migrate.revisions()) == migrate.CODE_VERSION


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
