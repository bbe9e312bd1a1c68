"""Actions on many jobs: each that matches is acted on once, whoever carries them out, and however often they die."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import text
from tests import history
from tests.routes.conftest import publish

from perdure.core import job_actions
from perdure.errors import Conflict, NotFound
from perdure.models.job_action import ActionStatus
from perdure.models.lifecycle import JobStatus, TimelineEvent
from perdure.processors import demo
from perdure.repositories.delivery_queries import DeliveryQueries
from perdure.repositories.job_action_repository import JobActionRepository
from perdure.repositories.job_filter import JobFilter
from perdure.repositories.job_queries import JobQueries
from perdure.schemas.job import JobCreate
from perdure.schemas.job_action import JobActionCreate
from perdure.signals import JobActionAdvanced, NotificationIntended

WAITING, ENDED = {"status": ["QUEUED", "SCHEDULED"]}, {"status": ["FAILED", "CANCELLED"]}


@pytest.fixture
async def actions(platform, monkeypatch):
    """The verbs, with batches of ten; the demo's job types are published, nothing runs."""
    monkeypatch.setattr(job_actions, "BATCH", 10)
    await publish(platform, demo.sleep)
    return platform.job_actions


async def submit(platform, count=1, **declared):
    sent = JobCreate.model_validate({"job_type": "demo.sleep"} | declared)
    return [await platform.commands.submit(sent) for _ in range(count)]


def asking(action, **declared):
    return JobActionCreate.model_validate({"action": action} | declared)


async def finished(actions, action):
    """Carries out what there is to carry out, and returns the action as it is then."""
    while await actions.advance() is not None:
        pass
    return await read(actions, action)


async def read(actions, action):
    async with actions._database.snapshot() as connection:
        return await JobActionRepository(connection).get(action.action_id)


async def jobs_of(platform, **wanted):
    async with platform.database.snapshot() as connection:
        return (await JobQueries(connection).newest(JobFilter(**wanted), None, 1_000)).jobs


async def steps(platform):
    """How often each step was recorded of each job."""
    async with platform.database.snapshot() as connection:
        rows = (await connection.execute(text("SELECT job_id, event FROM perdure.job_events"))).all()
    return Counter((row.job_id, row.event) for row in rows)


async def test_all_that_match_are_acted_on_and_the_others_are_not(platform, actions):
    matching = await submit(platform, 25, queue="imports")
    others = await submit(platform, 3, queue="exports")
    sent = asking("cancel", filter={"queue": "imports"}, reason="wrong file")
    preview = await actions.preview(sent)
    assert (preview.matched, preview.done, preview.skipped, preview.is_complete) == (25, 25, {}, True)
    assert list(preview.sample) == [job.job_id for job in reversed(matching)][:10]
    ended = await finished(actions, await actions.start(sent, "key"))
    assert (ended.status, ended.done, ended.skipped) == (ActionStatus.DONE, 25, {})
    assert (ended.requested_by, ended.reason, ended.filter) == ("key", "wrong file", {"queue": "imports"})
    assert {job.status for job in await jobs_of(platform, queue="imports")} == {JobStatus.CANCELLED}
    assert {job.job_id for job in await jobs_of(platform, status=[JobStatus.QUEUED])} == {job.job_id for job in others}


async def test_what_the_state_forbids_is_skipped_and_counted_as_the_preview_said(platform, actions):
    final, *waiting = await submit(platform, 13)
    await platform.commands.cancel(final.job_id)
    async with platform.database.transaction() as connection:
        await connection.execute(
            text(
                "UPDATE perdure.jobs SET status = 'RUNNING', worker_id = gen_random_uuid(), started_at = now(),"
                " cancel_requested_at = CASE WHEN job_id = :asked THEN now() END WHERE job_id IN (:asked, :running)"
            ),
            {"asked": waiting[0].job_id, "running": waiting[1].job_id},
        )
    for verb, done, skipped in [
        ("retry", 1, {"not_final": 12}),
        ("cancel", 12, {"cancel_requested": 1}),
        ("cancel", 0, {"already_final": 11, "cancel_requested": 2}),
    ]:
        preview = await actions.preview(asking(verb, all=True))
        ended = await finished(actions, await actions.start(asking(verb, all=True), "ops"))
        assert (preview.done, preview.skipped) == (ended.done, ended.skipped) == (done, skipped)
    [running] = [job for job in await jobs_of(platform) if job.job_id == waiting[1].job_id]
    assert running.status is JobStatus.RUNNING
    assert running.cancel_requested_at is not None


async def test_a_retry_never_meets_what_it_or_others_made_since(platform, actions):
    old = await submit(platform, 12)
    for job in old:
        await platform.commands.cancel(job.job_id)
    action = await actions.start(asking("retry", filter=ENDED), "ops")
    await actions.advance()
    [later] = await submit(platform)
    await platform.commands.cancel(later.job_id)
    for job in await jobs_of(platform, status=[JobStatus.QUEUED]):  # the runs that the first batch opened
        await platform.commands.cancel(job.job_id)
    assert (await finished(actions, action)).done == 12
    assert {job.run for job in await jobs_of(platform)} == {1, 2}
    assert [job.run for job in await jobs_of(platform) if job.job_id == later.job_id] == [1]


async def test_two_who_carry_it_out_act_on_each_job_once(platform, actions, monkeypatch):
    monkeypatch.setattr(job_actions, "BATCH", 40)
    await history.write(platform.database, [history.Past(JobStatus.QUEUED)] * 400)
    action = await actions.start(asking("cancel", filter=WAITING), "ops")

    async def carry_out():
        while (await read(actions, action)).is_running:
            await actions.advance()

    await asyncio.gather(carry_out(), carry_out(), carry_out())
    assert (await read(actions, action)).done == 400
    assert [times for (_, event), times in (await steps(platform)).items() if event == "CANCELLED"] == [1] * 400
    assert {job.status for job in await jobs_of(platform)} == {JobStatus.CANCELLED}


async def test_a_batch_that_fails_leaves_nothing_and_is_done_again(platform, actions, monkeypatch):
    await submit(platform, 12)
    action = await actions.start(asking("cancel", filter=WAITING), "ops")
    save = JobActionRepository.save

    async def die(*_arguments):
        raise KeyError("the process")

    monkeypatch.setattr(JobActionRepository, "save", die)
    with pytest.raises(KeyError):
        await actions.advance()
    assert not await steps(platform), "its jobs are as they were"
    monkeypatch.setattr(JobActionRepository, "save", save)
    assert (await finished(actions, action)).done == 12


async def test_a_stopped_one_goes_no_further(platform, actions, signals):
    said = []
    signals.subscribe(JobActionAdvanced, said.append)
    await submit(platform, 25)
    action = await actions.start(asking("cancel", filter=WAITING), "ops")
    await actions.advance()
    stopped = await actions.stop(action.action_id, "ops")
    assert (stopped.status, stopped.done, stopped.stopped_by) == (ActionStatus.STOPPED, 10, "ops")
    assert await actions.advance() is None
    assert len(await jobs_of(platform, status=[JobStatus.QUEUED])) == 15
    assert [(one.status, one.done) for one in said] == [("RUNNING", 10), ("STOPPED", 10)]
    with pytest.raises(Conflict):
        await actions.stop(action.action_id, "ops")
    with pytest.raises(NotFound):
        await actions.stop(history.id_at(platform.database.clock.now()), "ops")


async def test_who_asked_to_be_told_is_told_as_of_a_single_cancel(platform, actions, signals):
    intents = []
    signals.subscribe(NotificationIntended, intents.append)
    told = {"context": {"email": "ada@example.com"}, "notifications": {"email": {"on": ["CANCELLED"]}}}
    [job] = await submit(platform, **told)
    await finished(actions, await actions.start(asking("cancel", filter=WAITING), "ops"))
    async with platform.database.snapshot() as connection:
        [delivery] = await DeliveryQueries(connection).of_job(job.job_id)
        timeline = await JobQueries(connection).timeline(job)
    assert (delivery.event, delivery.recipient) == ("CANCELLED", "ada@example.com")
    assert [one.event for one in timeline] == [TimelineEvent.CREATED, TimelineEvent.CANCELLED]
    assert [one.job_id for one in intents] == [job.job_id]


async def test_several_take_turns(platform, actions):
    await submit(platform, 25)
    first = await actions.start(asking("cancel", filter={"queue": "default"}), "ops")
    second = await actions.start(asking("cancel", filter={"queue": "nothing"}), "ops")
    assert [(await actions.advance()).action_id for _ in range(2)] == [first.action_id, second.action_id]


async def test_a_filter_of_newer_code_is_left_to_newer_processes(platform, actions):
    await submit(platform)
    newer = await actions.start(asking("cancel", filter=WAITING), "ops")
    async with platform.database.transaction() as connection:
        await connection.execute(text("""UPDATE perdure.job_actions SET filter = '{"colour": "red"}'"""))
    known = await actions.start(asking("cancel", filter={"queue": "nothing"}), "ops")
    assert await actions.advance() is None
    assert (await actions.advance()).action_id == known.action_id
    assert ((await read(actions, newer)).is_running, (await read(actions, newer)).done) == (True, 0)


async def test_few_among_many_are_found_stretch_by_stretch(platform, actions, monkeypatch):
    monkeypatch.setattr(job_actions, "STRETCH", 10)
    [wanted] = await submit(platform, queue="rare")
    await submit(platform, 35)
    action = await actions.start(asking("cancel", filter={"queue": "rare"}), "ops")
    assert [(await actions.advance()).done for _ in range(4)] == [0, 0, 0, 1]
    assert (await finished(actions, action)).done == 1
    assert [job.job_id for job in await jobs_of(platform, status=[JobStatus.CANCELLED])] == [wanted.job_id]


async def test_a_preview_counts_so_far_and_says_so(platform, actions, monkeypatch):
    monkeypatch.setattr(job_actions, "PREVIEW_SECONDS", 60)
    monkeypatch.setattr(job_actions, "PREVIEW_STRETCH", 10)
    await submit(platform, 35)
    preview = await actions.preview(asking("cancel", filter=WAITING))
    assert (preview.matched, preview.done, preview.is_complete) == (35, 35, True)
    monkeypatch.setattr(job_actions, "PREVIEW_LIMIT", 15)
    preview = await actions.preview(asking("cancel", filter=WAITING))
    assert (preview.matched, preview.is_complete) == (15, False)


async def test_there_may_be_nothing_at_all(actions):
    assert (await finished(actions, await actions.start(asking("retry", all=True), "ops"))).status is ActionStatus.DONE


async def test_of_jobs_with_one_unique_key_one_is_retried_and_none_beside_a_live_one(platform, actions):
    for key in ("same", "same", "taken"):
        [job] = await submit(platform, unique_key=key)
        await platform.commands.cancel(job.job_id)
    await submit(platform, unique_key="taken")
    sent = asking("retry", filter=ENDED)
    preview = await actions.preview(sent)
    ended = await finished(actions, await actions.start(sent, "ops"))
    assert (preview.done, preview.skipped) == (ended.done, ended.skipped) == (1, {"unique_key_taken": 2})


@pytest.mark.parametrize("found_by", ["tag", "user_id", "email", "q"])
async def test_jobs_are_acted_on_by_whatever_finds_them(platform, actions, found_by):
    [wanted] = await submit(platform, tags=["a"], context={"user_id": "ada", "email": "Ada@example.com"})
    await submit(platform, 3)
    filters = {"tag": "a", "user_id": "ada", "email": "ada@example.com", "q": str(wanted.job_id)}
    sent = asking("cancel", filter={found_by: filters[found_by]})
    assert list((await actions.preview(sent)).sample) == [wanted.job_id]
    await finished(actions, await actions.start(sent, "ops"))
    assert [job.job_id for job in await jobs_of(platform, status=[JobStatus.CANCELLED])] == [wanted.job_id]
