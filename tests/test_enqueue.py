"""A job in a transaction of the user's own: it comes with his commit, and only so, whatever his driver and settings."""

import asyncio
import json
import re
import subprocess
import sys
from contextlib import asynccontextmanager, closing
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row
from psycopg.types.string import TextLoader
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from tests.routes.conftest import publish
from tests.routes.test_files import merge
from tests.workers.conftest import working
from uuid_utils.compat import uuid7

from perdure.db.wakeup import CHANNEL
from perdure.enqueue import enqueue, enqueue_async
from perdure.errors import MalformedJSON, UniqueKeyTaken, UnknownJobType, ValidationFailed
from perdure.models.file import FileRole
from perdure.models.lifecycle import JobStatus
from perdure.processors import demo
from perdure.processors.base import processor
from perdure.repositories.file_repository import FileRepository
from perdure.repositories.job_queries import JobFilter, JobQueries

ODD = """ü€😀 "quoted" \\ {1,2} NULL %s %(x)s $1 :name ' ; -- \n"""


@pytest.fixture
def dsn(platform):
    return platform.database.url.asyncpg


@asynccontextmanager
async def sqlalchemy_connection(dsn):
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn))
    with engine.connect() as connection:
        yield blocking(connection)
    engine.dispose()


@asynccontextmanager
async def sqlalchemy_session(dsn):
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), isolation_level="SERIALIZABLE"
    )
    with Session(engine) as session:
        yield blocking(session)
    engine.dispose()


@asynccontextmanager
async def sqlalchemy_async_connection(dsn):
    async def connect():
        return await asyncpg.connect(dsn)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, json_deserializer=str)
    async with engine.connect() as connection:
        yield waiting(connection)
    await engine.dispose()


@asynccontextmanager
async def sqlalchemy_async_session(dsn):
    async def connect():
        return await psycopg.AsyncConnection.connect(dsn)

    engine = create_async_engine("postgresql+psycopg://", async_creator=connect)
    async with AsyncSession(engine) as session:
        yield waiting(session)
    await engine.dispose()


@asynccontextmanager
async def psycopg_connection(dsn):
    """With rows that are dictionaries, ids and times that are text, cursors of another kind and another path."""
    with closing(psycopg.connect(dsn, row_factory=dict_row, cursor_factory=psycopg.RawCursor)) as connection:
        for kind in ("uuid", "timestamptz", "jsonb"):
            connection.adapters.register_loader(kind, TextLoader)
        connection.execute("SET search_path = information_schema")
        connection.execute("SET timezone = 'Asia/Kathmandu'")
        yield blocking(connection)


@asynccontextmanager
async def psycopg_async_connection(dsn):
    async with await psycopg.AsyncConnection.connect(dsn, row_factory=dict_row) as connection:
        yield waiting(connection)


@asynccontextmanager
async def asyncpg_connection(dsn):
    """From a pool, with codecs for JSON and ids."""

    async def prepare(connection):
        await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
        await connection.set_type_codec("json", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
        await connection.set_type_codec("uuid", schema="pg_catalog", encoder=str, decoder=str)

    async with asyncpg.create_pool(dsn, min_size=1, max_size=1, setup=prepare) as pool, pool.acquire() as connection:
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        yield SimpleNamespace(
            enqueue=lambda *sent, **declared: enqueue_async(connection, *sent, **declared),
            commit=lambda: connection.execute("COMMIT; BEGIN"),
            rollback=lambda: connection.execute("ROLLBACK; BEGIN"),
            execute=connection.execute,
        )
        await connection.execute("ROLLBACK")


def blocking(connection):
    async def enqueue_over(*sent, **declared):
        return enqueue(connection, *sent, **declared)

    async def commit():
        connection.commit()

    async def rollback():
        connection.rollback()

    return SimpleNamespace(enqueue=enqueue_over, commit=commit, rollback=rollback)


def waiting(connection):
    async def enqueue_over(*sent, **declared):
        return await enqueue_async(connection, *sent, **declared)

    return SimpleNamespace(enqueue=enqueue_over, commit=connection.commit, rollback=connection.rollback)


async def one_byte():
    yield b"1"


KINDS = [
    sqlalchemy_connection,
    sqlalchemy_session,
    sqlalchemy_async_connection,
    sqlalchemy_async_session,
    psycopg_connection,
    psycopg_async_connection,
    asyncpg_connection,
]


@pytest.fixture
async def jobs(platform):
    """What others see of the stored jobs. The demo's job types are published."""
    await publish(platform, demo.sleep, demo.fail)

    async def read():
        async with platform.database.snapshot() as connection:
            found = await JobQueries(connection).newest(JobFilter(), None, 10)
            return {job.job_id: await JobQueries(connection).get(job.job_id) for job in found.jobs}

    return read


@pytest.mark.parametrize("opened", KINDS, ids=lambda one: one.__name__)
async def test_the_job_comes_with_the_commit_and_goes_with_the_rollback(dsn, jobs, opened):
    declared = {
        "tags": ["a", "b"],
        "unique_key": ODD,
        "context": {"user_id": ODD, "deep": [1.5, None, True, {"€": []}]},
        "notifications": {"email": {"on": []}},
        "priority": 5,
        "max_retries": 0,
        "timeout_seconds": 0.25,
    }
    async with opened(dsn) as own:
        job_id = await own.enqueue("demo.fail", {"message": ODD}, **declared)
        assert await jobs() == {}
        with pytest.raises(UniqueKeyTaken) as taken:
            await own.enqueue("demo.fail", unique_key=ODD)
        with pytest.raises(ValidationFailed, match=r"payload\.seconds"):
            await own.enqueue("demo.sleep", {"seconds": "a"})
        await own.commit()
        assert taken.value.job_id == job_id
        [(stored_id, job)] = (await jobs()).items()
        assert (stored_id, job.status, job.payload) == (job_id, JobStatus.QUEUED, {"message": ODD})
        assert {name: getattr(job, name) for name in ("context", "notifications", "unique_key", "priority")} == {
            name: declared[name] for name in ("context", "notifications", "unique_key", "priority")
        }
        assert (job.tags, job.max_attempts, job.timeout_seconds) == (("a", "b"), 1, 0.25)

        await own.enqueue("demo.sleep", delay_seconds=60)
        await own.rollback()
        assert list(await jobs()) == [job_id]
        later = await own.enqueue("demo.sleep", delay_seconds=60)
        await own.commit()
        job = (await jobs())[later]
        assert (job.status, (job.run_at - job.created_at).total_seconds()) == (JobStatus.SCHEDULED, 60)


async def test_workers_run_it_once_it_is_committed(platform, dsn):
    ran = asyncio.Event()

    @processor("test.note")
    async def note(payload: dict) -> None:
        ran.set()

    async with working(platform, note) as bench, sqlalchemy_session(dsn) as own:
        job_id = await own.enqueue("test.note", {"a": 1})
        await bench.run("test.note")
        assert (await bench.get(job_id)) is None
        await own.commit()
        await asyncio.wait_for(bench.finals[job_id].wait(), 20)


async def test_one_notification_of_each_kind_is_sent_with_the_commit(dsn, jobs):
    heard = asyncio.Queue()
    async with asyncpg_connection(dsn) as own:
        listening = await asyncpg.connect(dsn)
        await listening.add_listener(CHANNEL, lambda *told: heard.put_nowait(told[-1]))
        try:
            await own.enqueue("demo.sleep")
            await own.rollback()
            await own.enqueue("demo.sleep", wake=False)
            await own.commit()
            await own.enqueue("demo.sleep")
            await own.enqueue("demo.sleep", delay_seconds=60)
            assert heard.empty()
            await own.commit()
            assert [await heard.get(), await heard.get()] == ["jobs_ready", "jobs_waiting"]
            await listening.fetchval("SELECT 1")
            assert heard.empty()
        finally:
            await listening.close()


async def test_a_file_that_the_payload_names_is_linked(platform, dsn):
    await publish(platform, merge)

    file = await platform.file_commands.upload(one_byte(), name="a", content_type="text/plain", expected={})
    async with psycopg_connection(dsn) as own:
        job_id = await own.enqueue("test.merge", {"first": str(file.file_id)})
        with pytest.raises(ValidationFailed, match="no file with this id"):
            await own.enqueue("test.merge", {"first": str(uuid7())})
        await own.commit()
    async with platform.database.snapshot() as connection:
        assert await FileRepository(connection).of_job(job_id) == [(file, FileRole.INPUT)]


NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e15, 1e15) | st.sampled_from([float("nan"), -float("inf")])


@given(context=st.dictionaries(st.text(), st.none() | st.text() | NUMBERS, max_size=5))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_what_can_be_kept_is_kept_exactly_and_the_rest_is_refused(platform, dsn, jobs, context):
    context = {f"x{name}": value for name, value in context.items()}  # no user_id or email
    async with psycopg_connection(dsn) as own:
        try:
            job_id = await own.enqueue("demo.sleep", context=context)
        except MalformedJSON:
            assert any(mark in json.dumps(context) for mark in ("NaN", "Infinity", "\\u0000", "\\ud"))
            return
        await own.commit()
    async with platform.database.snapshot() as connection:
        assert (await JobQueries(connection).get(job_id)).context == context


@pytest.mark.parametrize(
    ("declared", "error"),
    [
        ({"job_type": "never.heard"}, UnknownJobType),
        ({"payload": {"seconds": float("nan")}}, MalformedJSON),
        ({"payload": {"seconds": object()}}, MalformedJSON),
        ({"priority": 1_000}, ValidationFailed),
        ({"notifications": {"pigeon": {}}}, ValidationFailed),
        ({"unknown": 1}, ValidationFailed),
    ],
)
async def test_it_is_checked_as_one_that_is_sent(dsn, jobs, declared, error):
    async with psycopg_connection(dsn) as own:
        with pytest.raises(error):
            await own.enqueue(**{"job_type": "demo.sleep"} | declared)
        await own.commit()
    assert await jobs() == {}


async def test_the_rights_that_the_page_names_are_enough(platform, dsn):
    """In a transaction that is rolled back, the role with it."""
    await publish(platform, merge)
    file = await platform.file_commands.upload(one_byte(), name="a", content_type="text/plain", expected={})
    page = Path(__file__).parents[1] / "docs" / "how-to" / "enqueue-in-your-transaction.md"
    grants = re.findall(r"^GRANT .+;$", page.read_text(), re.MULTILINE)
    assert len(grants) > 3
    async with asyncpg_connection(dsn) as own:
        for statement in ["CREATE ROLE shop", *grants, "SET LOCAL ROLE shop"]:
            await own.execute(statement)
        await own.enqueue("test.merge", {"first": str(file.file_id)}, unique_key="a", tags=["a"])
        with pytest.raises(UniqueKeyTaken):
            await own.enqueue("test.merge", unique_key="a")


async def test_a_connection_of_the_wrong_kind_is_refused_with_advice(dsn):
    connection = await asyncpg.connect(dsn)
    with pytest.raises(TypeError, match="enqueue_async"):
        enqueue(connection, "demo.sleep")
    await connection.close()
    with closing(psycopg.connect(dsn)) as connection, pytest.raises(TypeError, match=r"enqueue\(\)"):
        await enqueue_async(connection, "demo.sleep")
    with pytest.raises(TypeError, match="SQLAlchemy or a Connection of psycopg"):
        enqueue(object(), "demo.sleep")


def test_it_loads_no_server_and_no_processor():
    heavy = {"fastapi", "starlette", "uvicorn", "alembic", "duckdb", "mailtrap", "psycopg", "jinja2"}
    code = f"import sys, perdure.enqueue; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
