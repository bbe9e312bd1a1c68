import pytest
from chaos.proxy import Proxy
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from perdure.db import session
from perdure.db.session import Database
from perdure.db.url import DatabaseUrl
from perdure.errors import Unavailable


async def test_what_is_done_in_a_transaction_is_committed_together_or_not_at_all(database):
    insert = text("INSERT INTO perdure.schema_version (singleton, minimum_code_version) VALUES (2, 1)")
    with pytest.raises(DBAPIError, match="schema_version_singleton_check"):
        async with database.transaction() as connection:
            await connection.execute(text("CREATE TABLE perdure.never (n int)"))
            await connection.execute(insert)
    async with database.snapshot() as connection:
        assert (await connection.execute(text("SELECT to_regclass('perdure.never')"))).scalar_one() is None


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '57014'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53300'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$",
    ],
)
async def test_what_passes_is_unavailable_and_the_next_call_works(database, statement):
    with pytest.raises(Unavailable):
        async with database.transaction() as connection:
            await connection.execute(text(statement))
    async with database.snapshot() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1


async def test_a_server_that_takes_no_more_writes_is_left_for_one_that_does(embedded_url):
    """As after a failover, where the old primary goes on as a standby."""
    one_connection = Database(DatabaseUrl.parse(embedded_url), pool_size=1)
    async with one_connection.transaction() as connection:
        await connection.execute(text("SET default_transaction_read_only = on"))
    with pytest.raises(Unavailable):
        async with one_connection.transaction() as connection:
            await connection.execute(text("DELETE FROM perdure.queues"))
    async with one_connection.transaction() as connection:
        await connection.execute(text("DELETE FROM perdure.queues"))
    await one_connection.close()


async def test_a_server_that_takes_no_writes_is_none_to_connect_to(embedded_url):
    standby = Database(DatabaseUrl.parse(f"{embedded_url}&options=-c%20default_transaction_read_only%3Don"))
    with pytest.raises(Unavailable):
        await standby.read_clock()
    await standby.close()


async def test_of_several_servers_the_one_that_can_be_used_is_taken(embedded_url):
    several = Database(DatabaseUrl.parse(embedded_url.replace("host=", "host=/nowhere,")))
    await several.read_clock()
    await several.close()


async def test_a_mistake_of_ours_is_not_hidden_as_unavailable(database):
    with pytest.raises(DBAPIError):
        async with database.transaction() as connection:
            await connection.execute(text("SELECT nonsense"))


async def test_a_database_that_is_not_there_is_unavailable():
    nowhere = Database(DatabaseUrl.parse("postgresql://nobody@127.0.0.1:9/none"))
    with pytest.raises(Unavailable):
        await nowhere.read_clock()


async def test_a_connection_that_the_network_has_swallowed_is_given_up_for_another(embedded_url, monkeypatch):
    monkeypatch.setattr(session, "UNHEARD_SECONDS", 0.2)
    async with Proxy(embedded_url) as proxy:
        database = Database(DatabaseUrl.parse(proxy.url))
        for work in (database.transaction, database.snapshot):
            await database.read_clock()
            proxy.forget()
            with pytest.raises(Unavailable):
                async with work() as connection:
                    await connection.execute(text("SELECT 1"))
        await database.read_clock()
        await database.close()


async def test_what_takes_the_server_too_long_is_ended_by_it(embedded_url, monkeypatch):
    monkeypatch.setattr(session, "STATEMENT_TIMEOUT_MS", 50)
    database = Database(DatabaseUrl.parse(embedded_url))
    with pytest.raises(Unavailable):
        async with database.transaction() as connection:
            await connection.execute(text("SELECT pg_sleep(30)"))
    await database.close()


async def test_a_transaction_that_hangs_keeps_its_locks_for_no_longer_than_the_server_allows(
    database, embedded_url, monkeypatch
):
    monkeypatch.setattr(session, "IDLE_IN_TRANSACTION_TIMEOUT_MS", 50)
    hanging = Database(DatabaseUrl.parse(embedded_url))
    lock = text("LOCK TABLE perdure.queues")
    with pytest.raises(Unavailable):
        async with hanging.transaction() as holding:
            await holding.execute(lock)
            async with database.transaction() as waiting:
                await waiting.execute(lock)
            await holding.execute(text("SELECT 1"))
    await hanging.close()


async def test_the_clock_is_the_databases(database):
    await database.read_clock()
    async with database.snapshot() as connection:
        theirs = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
    assert abs((database.clock.now() - theirs).total_seconds()) < 1
