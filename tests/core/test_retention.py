"""Which jobs survive, and that whatever goes, goes whole."""

import itertools
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from tests import history
from tests.history import Past, Told
from uuid_utils.compat import uuid7

from perdure.core.retention import START, Retention, RetentionPolicy
from perdure.models.delivery import DeliveryStatus
from perdure.models.file import File, FileRole
from perdure.models.job_action import ActionVerb, JobAction
from perdure.models.job_log import LogLevel, LogLine
from perdure.models.lifecycle import FINAL, JobStatus
from perdure.repositories.file_repository import FileRepository
from perdure.repositories.job_action_repository import JobActionRepository
from perdure.repositories.job_log_repository import JobLogRepository
from perdure.repositories.retention_repository import RetentionRepository

POLICY = RetentionPolicy(jobs_days=30, audit_days=90)
AGES = (1, 29.9, 30.1, 89.9, 90.1)
TOLD = (
    (),
    *((Told(DeliveryStatus.SENT, days),) for days in AGES),
    (Told(DeliveryStatus.SKIPPED, 90.1),),
    (Told(DeliveryStatus.FAILED, 90.1), Told(DeliveryStatus.SENT, 1)),
    *((Told(status),) for status in (DeliveryStatus.PENDING, DeliveryStatus.SENDING, DeliveryStatus.RETRYING)),
)
EVERY_PAST = [
    Past(status, days, told=told, made_days=100)
    for status, days, told in itertools.product(JobStatus, AGES, TOLD)
    if status in FINAL or days == AGES[-1]
]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr("perdure.core.retention.BATCH", 40)
    monkeypatch.setattr("perdure.core.retention.PAUSE_SECONDS", 0.0)


async def surviving(database) -> set[UUID]:
    async with database.snapshot() as connection:
        return set((await connection.execute(text("SELECT job_id FROM perdure.jobs"))).scalars())


def survives(past: Past, jobs_days: float, audit_days: float) -> bool:
    """The rule, in other words than those of the code."""
    if past.status not in FINAL or jobs_days == 0 or past.ended_days < jobs_days:
        return True
    if any(told.status.value in ("PENDING", "SENDING", "RETRYING") for told in past.told):
        return True
    return bool(past.told) and (audit_days == 0 or min(told.ended_days for told in past.told) < audit_days)


@pytest.mark.parametrize(("jobs_days", "audit_days"), [(30, 90), (90, 30), (30, 0), (0, 90), (36_500, 1)])
async def test_what_survives_is_what_the_rule_says(database, jobs_days, audit_days):
    ids = await history.write(database, EVERY_PAST)
    kept = [past for past in EVERY_PAST if survives(past, jobs_days, audit_days)]
    before = await history.count(database)
    retention = Retention(database, RetentionPolicy(jobs_days=jobs_days, audit_days=audit_days))
    counted = await retention.count_all()
    assert await history.count(database) == before, "counting changes nothing"
    assert await retention.remove_all() == counted
    assert await surviving(database) == {job_id for job_id, past in zip(ids, EVERY_PAST, strict=True) if past in kept}
    after = await history.count(database)
    assert {table: before[table] - after[table] for table in before} == {table: counted[table] for table in before}
    assert (after["job_events"], after["deliveries"]) == (len(kept), sum(len(past.told) for past in kept))
    assert await history.orphans(database) == 0


async def test_what_somebody_holds_is_left_to_a_later_walk(database):
    held, _free = await history.write(database, [Past(), Past()])
    retention = Retention(database, POLICY)
    async with database.transaction() as connection:
        await connection.execute(
            text("SELECT FROM perdure.jobs WHERE job_id = :job_id FOR KEY SHARE"), {"job_id": held}
        )
        assert (await retention.remove_all())["jobs"] == 1
    assert await surviving(database) == {held}
    assert (await retention.remove_all())["jobs"] == 1


@pytest.mark.parametrize("meanwhile", ["retry", "resend"])
async def test_what_is_taken_up_again_after_it_was_looked_at_stays_whole(platform, meanwhile):
    database = platform.database
    [job_id] = await history.write(database, [Past(ended_days=100, told=[Told(ended_days=95)])])
    async with database.transaction() as connection:
        repository = RetentionRepository(connection, POLICY.cutoffs(database.clock.now()))
        stretch = await repository.next(START, 10)
        assert list(stretch.may_go) == [job_id]
        if meanwhile == "retry":
            await platform.commands.retry(job_id)
        else:
            async with database.snapshot() as other:
                told = (await other.execute(text("SELECT delivery_id FROM perdure.deliveries"))).scalar_one()
            await platform.delivery_commands.resend(told, "local")
        removed = await repository.remove(stretch.may_go)
    assert set(removed.values()) == {0}
    found = await history.count(database)
    assert (found["jobs"], found["deliveries"]) == (1, 2 if meanwhile == "resend" else 1)


async def test_one_prunes_at_a_time(database):
    await history.write(database, [Past()])
    retention = Retention(database, POLICY)
    async with database.transaction() as connection:
        assert await RetentionRepository(connection, POLICY.cutoffs(database.clock.now())).is_alone()
        assert await retention.remove_batch(START) is None
    assert (await retention.remove_batch(START)).removed["jobs"] == 1


async def test_a_log_goes_with_its_job(database):
    old, kept = await history.write(database, [Past(), Past(status=JobStatus.QUEUED)])
    lines = [LogLine(job_id, 10_001, 1, 1, database.clock.now(), LogLevel.INFO, "said") for job_id in (old, kept)]
    async with database.transaction() as connection:
        await JobLogRepository(connection).add(lines)
    retention = Retention(database, POLICY)
    counted = await retention.count_all()
    assert counted["job_log_lines"] == 1
    assert await retention.remove_all() == counted
    async with database.snapshot() as connection:
        repository = JobLogRepository(connection)
        assert [len(await repository.of_job(job_id, 0, 9)) for job_id in (old, kept)] == [0, 1]


async def test_files_go_with_the_last_job_that_names_them_and_mails_and_slots_with_their_age(database):
    now = database.clock.now()
    old, kept = await history.write(database, [Past(), Past(status=JobStatus.QUEUED)])
    names = {"of the old": [old], "of both": [old, kept], "of nobody": [], "new": []}
    files = {
        name: File(
            file_id=uuid7(),
            name=name,
            content_type="text/csv",
            size_bytes=1,
            sha256="0" * 64,
            created_at=now - timedelta(days=1 if name == "new" else 50),
        )
        for name in names
    }
    async with database.transaction() as connection:
        repository = FileRepository(connection)
        await repository.add(list(files.values()))
        links = [(job_id, files[name].file_id) for name, job_ids in names.items() for job_id in job_ids]
        await repository.link(links, FileRole.INPUT)
        await connection.execute(
            text(
                "INSERT INTO perdure.inbox_messages SELECT id, 'local', now(), '{}'"
                " FROM unnest(CAST(:ids AS uuid[])) AS id"
            ),
            {"ids": [history.id_at(now - timedelta(days=days)) for days in (1, 31)]},
        )
        await connection.execute(
            text(
                "INSERT INTO perdure.schedule_slots SELECT 'nightly', now() - make_interval(days => day), 'missed'"
                " FROM unnest(ARRAY[1, 31, 32]) AS day"
            )
        )
    retention = Retention(database, POLICY)
    counted = await retention.count_all()
    assert counted == {
        "jobs": 1,
        "job_events": 1,
        "job_files": 2,
        "job_tags": 1,
        "files": 2,
        "schedule_slots": 2,
        "inbox_messages": 1,
    }
    assert await retention.remove_all() == counted
    async with database.snapshot() as connection:
        left = set((await connection.execute(text("SELECT name FROM perdure.files"))).scalars())
        noted = set((await connection.execute(text("SELECT file_id FROM perdure.file_removals"))).scalars())
    assert left == {"of both", "new"}
    assert noted == {files["of the old"].file_id, files["of nobody"].file_id}, "their bytes are to be removed"


async def test_old_actions_go_and_those_that_run_stay(database):
    now = database.clock.now()
    async with database.transaction() as connection:
        for days in (None, 89, 91):
            made_at = now - timedelta(days=100)
            action = JobAction(
                action_id=uuid7(),
                verb=ActionVerb.RETRY,
                filter={},
                reason=None,
                requested_by="local",
                below=START,
                created_at=made_at,
                advanced_at=made_at,
            )
            ended = action if days is None else action.finish(now - timedelta(days=days))
            await JobActionRepository(connection).add(ended)
    assert await Retention(database, RetentionPolicy(jobs_days=0, audit_days=90)).remove_all() == {}
    assert await Retention(database, POLICY).count_all() == {"job_actions": 1}
    assert await Retention(database, POLICY).remove_all() == {"job_actions": 1}
    async with database.snapshot() as connection:
        left = await JobActionRepository(connection).newest(None, 10)
    assert [one.finished_at is None for one in left] == [False, True]
