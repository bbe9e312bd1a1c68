"""A process one of whose loops dies of a bug ends and says so; it does not live on without that loop."""

import asyncio

from sqlalchemy import text


async def test_a_loop_that_dies_of_a_bug_ends_the_process(database, installation):
    server = installation.serve()

    async def rename(table, name):
        async with database.transaction() as connection:
            await connection.execute(text(f"ALTER TABLE perdure.{table} RENAME TO {name}"))

    await rename("workers", "renamed_by_mistake")  # the sweeper looks at it all the time
    try:
        assert await asyncio.to_thread(server._process.wait, 60) == 1
    finally:
        await rename("renamed_by_mistake", "workers")
    assert "loop.broken" in server.log.read_text()
