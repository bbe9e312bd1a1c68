"""The one door: what holds is written whole, with its deliveries; what does not leaves no trace."""

from dataclasses import replace

import pytest
from sqlalchemy import text
from tests import claiming
from uuid_utils.compat import uuid7

from perdure.core.notifications.dispatcher import NotificationDispatcher
from perdure.db.wakeup import Topic
from perdure.models.job import Job
from perdure.models.lease import WorkerIdentity
from perdure.models.outcome import ErrorReason, Failed, JobError, Outcome, Released, Snoozed, Succeeded
from perdure.models.retry import RetryPolicy
from perdure.repositories.delivery_queries import DeliveryQueries
from perdure.repositories.job_queries import JobQueries
from perdure.repositories.job_repository import JobRepository
from perdure.repositories.worker_repository import WorkerRepository
from perdure.signals import JobTransitioned, NotificationIntended, NotificationSettled


@pytest.fixture
async def claimed(platform) -> Job:
    """A job under way that declares a mail."""
    now = platform.database.clock.now()
    worker = WorkerIdentity(uuid7(), "host", 1, "0", (), ("t",), 1)
    job = Job.submit(
        job_id=uuid7(),
        run_at=None,
        now=now,
        job_type="t",
        payload={},
        queue="default",
        priority=0,
        max_attempts=1,
        timeout_seconds=1.0,
        retry=RetryPolicy(),
        context={"email": "ada@example.com"},
        notifications={"email": {}},
    )
    async with platform.database.transaction() as connection:
        await WorkerRepository(connection).register(worker, 60)
        await JobRepository(connection).add([job])
        [claimed] = await claiming.claim(connection, "default", ["t"], 1, worker.worker_id)
    return claimed


async def state(platform, job):
    async with platform.database.snapshot() as connection:
        found = await JobQueries(connection).get(job.job_id)
        return found.status.value, len(await DeliveryQueries(connection).of_job(job.job_id))


async def record(platform, job, outcome=None):
    now = platform.database.clock.now()
    async with platform.database.transaction() as connection:
        return await platform.recorder.record(connection, [job.conclude(outcome or Succeeded(1), now)], now)


async def test_the_delivery_is_born_with_the_transition(platform, claimed):
    recorded = await record(platform, claimed)
    assert await state(platform, claimed) == ("SUCCEEDED", 1)
    assert (len(recorded.held), len(recorded.refused)) == (1, 0)


async def test_neither_is_there_when_the_transaction_fails(platform, claimed):
    now = platform.database.clock.now()
    with pytest.raises(ZeroDivisionError):
        async with platform.database.transaction() as connection:
            await platform.recorder.record(connection, [claimed.conclude(Succeeded(1), now)], now)
            raise ZeroDivisionError
    assert await state(platform, claimed) == ("RUNNING", 0)


async def test_a_refused_transition_tells_nobody(platform, claimed):
    async with platform.database.transaction() as connection:
        await connection.execute(text("UPDATE perdure.jobs SET fence = fence + 1"))
    recorded = await record(platform, claimed)
    assert (len(recorded.held), len(recorded.refused)) == (0, 1)
    assert recorded.outbox.intents == []
    assert await state(platform, claimed) == ("RUNNING", 0)


async def test_recording_twice_tells_once(platform, claimed):
    await record(platform, claimed)
    await record(platform, claimed)
    assert await state(platform, claimed) == ("SUCCEEDED", 1)


async def test_nothing_is_said_before_announce(platform, claimed):
    said = []
    for kind in (JobTransitioned, NotificationIntended):
        platform.signals.subscribe(kind, said.append)
    recorded = await record(platform, claimed)
    assert said == []
    platform.recorder.announce(recorded)
    assert [type(one) for one in said] == [JobTransitioned, NotificationIntended]


async def test_what_is_born_skipped_is_said_to_be_settled(platform, claimed):
    """Nobody will claim it: were it not said here, no count would know of it."""
    said = []
    platform.signals.subscribe(NotificationSettled, said.append)
    silent = replace(claimed, notifications={"email": {"on": ["FAILURE"]}})
    platform.recorder.announce(await record(platform, silent))
    [settled] = said
    assert (settled.job_id, settled.status, settled.reason) == (claimed.job_id, "SKIPPED", "event_not_selected")


async def test_the_dispatcher_itself_does_no_io(platform, claimed, monkeypatch):
    """It is handed values and answers with values; a dispatch outside any transaction writes nothing."""
    from perdure.core.notifications.dispatcher import Outbox
    from perdure.core.notifications.events import JobEvent

    outbox = Outbox()
    dispatched = NotificationDispatcher(platform.providers, outbox, platform.database.clock.now())
    assert dispatched.dispatch(claimed.conclude(Succeeded(1), claimed.started_at).job, JobEvent.SUCCESS) is None
    assert len(outbox.deliveries) == 1
    assert await state(platform, claimed) == ("RUNNING", 0)


FAILED = Failed(JobError(ErrorReason.RETRIES_EXHAUSTED, "ValueError", "no"))


@pytest.mark.parametrize(
    ("outcome", "max_attempts", "rung"),
    [
        (Released(), 1, {Topic.JOBS_READY}),
        (FAILED, 2, {Topic.JOBS_WAITING}),
        (Snoozed(60), 1, {Topic.JOBS_WAITING}),
        (FAILED, 1, {Topic.JOBS_FINAL, Topic.DELIVERIES}),
        (Succeeded(1), 1, {Topic.JOBS_FINAL, Topic.DELIVERIES}),
    ],
)
async def test_whoever_may_have_something_to_do_hears_of_it(
    platform, claimed, monkeypatch, outcome: Outcome, max_attempts, rung
):
    heard: set[Topic] = set()
    monkeypatch.setattr(platform.wakeup, "ring", lambda *topics: heard.update(topics))
    platform.recorder.announce(await record(platform, replace(claimed, max_attempts=max_attempts), outcome))
    assert heard == rung
