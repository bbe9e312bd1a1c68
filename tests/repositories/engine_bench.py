"""The real parts of the engine on a real database whose clock is the test's.

The statements ask ``clock_timestamp()``, unqualified. The connections made here find another function of that name
before PostgreSQL's own, and it tells the time that the test has set.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from tests.faulty_database import Fault, FaultyDatabase
from tests.repositories.engine_model import Stored

from perdure.core.commands import Commands
from perdure.core.job_factory import JobFactory
from perdure.core.notifications.providers.mailtrap import MailtrapConfiguration, MailtrapEmailProvider
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.core.notifications.subscription_copy import SubscriptionCopy
from perdure.core.recording import Recorder
from perdure.db.session import dump_json
from perdure.db.url import DatabaseUrl
from perdure.db.wakeup import Wakeup
from perdure.errors import Unavailable
from perdure.models.job import Job
from perdure.models.outcome import Outcome
from perdure.repositories.job_claims import JobClaims
from perdure.repositories.job_repository import JobRepository
from perdure.repositories.mappers import JOB_COLUMNS, job_from_row
from perdure.repositories.statements import column_list
from perdure.signals import JobTransitioned, NotificationIntended, Signals
from perdure.workers.completer import Completer, Conclusion
from perdure.workers.expirer import Expirer
from perdure.workers.promoter import Promoter
from perdure.workers.sweeper import Sweeper

START = datetime(2030, 1, 1, tzinfo=UTC)
LEASE_SECONDS = 30.0
QUEUE, TYPES = "default", ["t"]

_CLOCK = """
    DROP SCHEMA IF EXISTS test_clock CASCADE;
    CREATE SCHEMA test_clock;
    CREATE TABLE test_clock.reading (at timestamptz NOT NULL);
    CREATE FUNCTION test_clock.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql
        AS 'SELECT at FROM test_clock.reading';
"""
_JOBS = f"SELECT {column_list(JOB_COLUMNS)} FROM perdure.jobs"
_EVENTS = "SELECT job_id, run, attempt, event FROM perdure.job_events ORDER BY event_id"
_DELIVERIES = "SELECT job_id, run, event, channel, recipient, status FROM perdure.deliveries"
_EMPTY = """
    DELETE FROM perdure.jobs; DELETE FROM perdure.job_events; DELETE FROM perdure.deliveries;
    DELETE FROM perdure.workers
"""


class Clock:
    """The one time that there is, for the database as for the process."""

    reading = START

    def now(self) -> datetime:
        return self.reading


class EngineDatabase(FaultyDatabase):
    async def _connect(self, **settings: str) -> Any:
        connection = await super()._connect(**settings)
        await connection.execute("SET search_path = test_clock, pg_catalog")
        return connection


class Engine:
    """Everything that writes jobs, without the loops that drive it."""

    def __init__(self, database: EngineDatabase, direct: asyncpg.Connection) -> None:
        signals, wakeup = Signals(), Wakeup(database.url)
        providers = ProviderRegistry([MailtrapEmailProvider(MailtrapConfiguration())])
        recorder = Recorder(providers, SubscriptionCopy(database), signals, wakeup)
        self.database = database
        self.direct = direct
        self.clock = database.clock = Clock()
        self.commands = Commands(database, JobFactory(providers), recorder, wakeup, signals)
        self.completer = Completer(database, recorder, wakeup, signals)
        self.sweeper = Sweeper(database, signals, wakeup, recorder, lease_seconds=LEASE_SECONDS)
        self.promoter = Promoter(database, signals, wakeup)
        self.expirer = Expirer(database, signals, wakeup, recorder)
        self.heard: Counter[Any] = Counter()
        signals.subscribe(JobTransitioned, self._hear_transition)
        signals.subscribe(NotificationIntended, self._hear_intent)

    async def reset(self) -> None:
        self.heard.clear()
        self.database.fault = Fault.NONE
        self.clock.reading = START
        await self.direct.execute(_EMPTY)
        await self.advance(0)

    async def advance(self, seconds: float) -> None:
        self.clock.reading += timedelta(seconds=seconds)
        await self.direct.execute("UPDATE test_clock.reading SET at = $1", self.clock.reading)

    async def claim(self, worker_id: UUID, limit: int) -> list[Job]:
        async with self.database.statement() as driver:
            return await JobClaims(driver).claim([QUEUE], TYPES, limit, worker_id)

    async def held(self, worker_id: UUID) -> list[Job]:
        async with self.database.snapshot() as connection:
            held = await JobRepository(connection).held(worker_id)
        return sorted(held, key=lambda job: job.place)

    async def conclude(self, ended: Sequence[tuple[Job, Outcome]], fault: Fault, *, dies: bool) -> None:
        """Saves them in one batch. Where the process ``dies`` of the fault, nobody saves them again."""
        self.database.fault = fault
        if dies:
            now = self.clock.now()
            with suppress(Unavailable):
                await self.completer._save([Conclusion(job, outcome, now) for job, outcome in ended])
        else:
            for job, outcome in ended:
                self.completer.conclude(job, outcome)
            await self.completer.join()

    async def stored(self) -> dict[UUID, Stored]:
        jobs = [job_from_row(dict(row)) for row in await self.direct.fetch(_JOBS)]
        found = {job.job_id: Stored(job, [], []) for job in jobs}
        for job_id, *event in await self.direct.fetch(_EVENTS):
            found[job_id].events.append(tuple(event))
        for job_id, *delivery in await self.direct.fetch(_DELIVERIES):
            found[job_id].deliveries.append(tuple(delivery))
        return found

    def _hear_transition(self, signal: JobTransitioned) -> None:
        self.heard[signal.job_id, signal.run, signal.attempt, signal.event] += 1

    def _hear_intent(self, signal: NotificationIntended) -> None:
        self.heard[signal.job_id, signal.event] += 1


@asynccontextmanager
async def opened_engine(database_url: str) -> AsyncIterator[Engine]:
    url = DatabaseUrl.parse(database_url)
    direct = await asyncpg.connect(url.asyncpg)
    database = EngineDatabase(url)
    try:
        await direct.execute(_CLOCK)
        await direct.execute("INSERT INTO test_clock.reading VALUES ($1)", START)
        await direct.set_type_codec("jsonb", schema="pg_catalog", encoder=dump_json, decoder=orjson.loads)
        yield Engine(database, direct)
    finally:
        await database.close()
        await direct.execute("DROP SCHEMA test_clock CASCADE")
        await direct.close()
