"""What the dashboard reads is right, bounded, and found by indexes, whatever the planner knows of the tables."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from sqlalchemy import text
from tests.repositories.test_plans import MODES, execute, explain, sent
from tests.repositories.test_search_plans import ALIKE, BUFFERS, FILL, JOBS, TAG, flaws, history

from perdure.clock import first_id_at
from perdure.errors import Unavailable
from perdure.models.history import HOUR, MINUTE, Stretch, Tally
from perdure.models.lifecycle import JobStatus
from perdure.repositories import job_counts
from perdure.repositories.attention_queries import AttentionQueries, Unserved
from perdure.repositories.failure_queries import FailureQueries
from perdure.repositories.history_queries import HistoryQueries
from perdure.repositories.job_counts import JobCounting
from perdure.repositories.job_filter import JobFilter
from perdure.repositories.job_queries import JobQueries
from perdure.repositories.tally_repository import TallyRepository

__all__ = ["history"]

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

FILTERS = {
    "nothing": ({}, {"jobs_group"}),
    "type": ({"job_type": "rare"}, {"jobs_group"}),
    "queue": ({"queue": "q1"}, {"jobs_group"}),
    "time": ({"created_after": LONG_AGO}, {"jobs_group", "jobs_pkey"}),
    "type and time": ({"job_type": "rare", "created_before": LONG_AGO}, {"jobs_group"}),
    "user": ({"user_id": "rare"}, {"jobs_user"}),
    "user and type": ({"user_id": "rare", "job_type": "rare"}, {"jobs_user"}),
    "tag": ({"tag": "rare"}, {"job_tags_pkey"}),
    "tag of all": ({"tag": "usual"}, {"job_tags_pkey"}),
    "error group": ({"error_group": "00000000000000aa"}, {"jobs_error_group"}),
    "words": ({"q": "seldom"}, {"jobs_failed"}),
}


@pytest.mark.parametrize("name", FILTERS)
async def test_counts_are_those_of_the_table(any_database, name):
    wanted = JobFilter(**FILTERS[name][0])
    await execute(any_database, FILL, TAG, first=0, last=ALIKE)
    async with any_database.snapshot() as connection:
        counts = await JobCounting(connection).count(wanted)
        where = " AND ".join(wanted.sql()) or "true"
        rows = await connection.execute(
            text(f"SELECT status, count(*) FROM perdure.jobs WHERE {where} GROUP BY status"), wanted.parameters()
        )
        expected = {JobStatus(status): count for status, count in rows}
    assert {state: count for state, count in counts.by_state.items() if count} == expected
    assert counts.at_least == frozenset()


async def test_what_is_much_is_counted_up_to_a_limit(any_database, monkeypatch):
    monkeypatch.setattr(job_counts, "COUNTED_IN_ALL", 300)
    monkeypatch.setattr(job_counts, "LEAST_OF_EACH", 2)
    monkeypatch.setattr(job_counts, "LOOKED_AT", 40)
    await execute(any_database, FILL, TAG, first=0, last=ALIKE)
    async with any_database.snapshot() as connection:
        of_all = await JobCounting(connection).count(JobFilter())
        assert JobStatus.FAILED in of_all.at_least
        assert sum(of_all.by_state.values()) <= 300
        assert JobStatus.SCHEDULED not in of_all.at_least
        of_tag = await JobCounting(connection).count(JobFilter(tag="usual"))
        assert sum(of_tag.by_state.values()) == 40
        assert of_tag.at_least


async def test_counts_that_take_too_long_are_given_up(any_database, monkeypatch):
    monkeypatch.setattr(job_counts, "group_counts", lambda *_: "SELECT pg_sleep(5)")
    monkeypatch.setattr(job_counts, "TIMEOUT_MS", 1)
    with pytest.raises(Unavailable):
        async with any_database.snapshot() as connection:
            await JobCounting(connection).count(JobFilter())


async def test_counts_read_little(history, monkeypatch):
    monkeypatch.setattr(job_counts, "COUNTED_IN_ALL", 600)
    monkeypatch.setattr(job_counts, "COUNTED_BY_TIME", 100)
    monkeypatch.setattr(job_counts, "LEAST_OF_EACH", 2)
    monkeypatch.setattr(job_counts, "LOOKED_AT", 40)
    async with history.snapshot() as connection:
        for mode, (name, (wanted, indexes)) in product(MODES, FILTERS.items()):
            with sent(history) as statements:
                await JobCounting(connection).count(JobFilter(**wanted))
            plans = [await explain(connection, *one, mode) for one in statements if not one[0].startswith("SET")]
            assert len(plans) <= 2
            assert [flaw for plan in plans for flaw in flaws(plan)] == [], name
            assert indexes <= set().union(*(plan.indexes for plan in plans)), name
            assert sum(plan.buffers for plan in plans) <= 2.5 * BUFFERS, name


async def test_failures_that_are_the_same_are_told_together(any_database):
    await execute(any_database, FILL, TAG, first=0, last=ALIKE)
    async with any_database.snapshot() as connection:
        with sent(any_database) as statements:
            groups = await FailureQueries(connection).groups()
        usual, rare = sorted(groups, key=lambda one: -one.jobs)
        assert (usual.fingerprint, usual.error_type, usual.message) == ("00000000000000bb", "Usual", "seen again")
        assert (rare.fingerprint, rare.job_type, rare.jobs) == ("00000000000000aa", "rare", 2)
        rows = await connection.execute(text("SELECT count(*) FROM perdure.jobs WHERE status = 'FAILED'"))
        assert usual.jobs + rare.jobs == rows.scalar_one()
        assert len(usual.ages_seconds) == usual.jobs
        for mode in MODES:
            [plan] = [await explain(connection, *one, mode) for one in statements]
            assert [flaw for flaw in plan.flaws if not flaw.startswith("Sort")] == []  # of a thousand at most
            assert plan.indexes == {"jobs_failed"}


async def test_ready_jobs_that_nobody_takes_are_found_by_kind(history):
    async with history.snapshot() as connection:
        with sent(history) as statements:
            unserved = await AttentionQueries(connection).unserved()
        assert Unserved("usual", "q1") in unserved
        assert len(unserved) <= 11
        for mode in MODES:
            [plan] = [await explain(connection, *one, mode) for one in statements]
            assert [flaw for flaw in plan.flaws if "workers" not in flaw] == []
            assert plan.indexes == {"jobs_group"}
            assert plan.buffers < JOBS / 4


async def test_a_list_leaves_out_what_is_large(any_database):
    await execute(any_database, FILL, first=0, last=9)
    async with any_database.snapshot() as connection:
        read = JobQueries(connection)
        found = (await read.newest(JobFilter(), None, 3)).jobs
        assert [job.payload for job in found] == [None] * 3
        assert await read.summaries([job.job_id for job in found]) == found
        assert (await read.get(found[0].job_id)).payload == {}
        assert await read.has_any()


async def test_newer_ones_are_searched_for_among_newer_ids(any_database):
    now = any_database.clock.now()
    wanted = JobFilter(created_after=now - timedelta(days=9)).newer_than(first_id_at(now))
    assert abs(wanted.created_after - now) < timedelta(milliseconds=2)


async def test_a_stretch_as_a_whole_is_the_sum_of_its_steps(any_database):
    start = any_database.clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    tallies = []
    for width, steps in ((MINUTE, 120), (HOUR, 2)):
        for step in range(steps):
            for number, job_type in enumerate(("a", "b")):
                tally = Tally(
                    width_seconds=width, starts_at=start + step * timedelta(seconds=width), queue="q", job_type=job_type
                )
                tally.counts.update(succeeded=1 + number, failed=number)
                tally.count_attempts([(0.1 * (number + 1), 1.0)])
                tallies.append(tally)
    async with any_database.transaction() as connection:
        await TallyRepository(connection).add(first_id_at(start), start, {}, tallies)
    minutes, hours = _stretch(start, 10 * MINUTE, 12), _stretch(start, HOUR, 2)
    async with any_database.snapshot() as connection:
        read = HistoryQueries(connection)
        counts = await read.counts(minutes)
        assert Counter(point.succeeded for point in counts) == {30: 12}
        assert [point.at for point in counts] == [start + step * timedelta(minutes=10) for step in range(12)]
        points, whole = await read.points_and_whole(minutes)
        assert [(point.at, point.succeeded) for point in points] == [(one.at, one.succeeded) for one in counts]
        assert [point.duration_seconds.p50 for point in points] == [pytest.approx(1.0, rel=0.13)] * 12
        assert (whole.succeeded, whole.failed, whole.attempts) == (360, 120, 240)
        assert whole.wait_seconds.p50 == pytest.approx(0.1, rel=0.13)
        assert whole.wait_seconds.p95 == pytest.approx(0.2, rel=0.13)
        by_type = await read.by_type(hours)
        assert {name: (point.succeeded, point.failed) for name, point in by_type.items()} == {"a": (2, 0), "b": (4, 2)}
        by_queue = await read.by_queue(hours)
        assert {name: point.succeeded for name, point in by_queue.items()} == {"q": 6}
        points, nothing = await read.points_and_whole(_stretch(start - timedelta(days=1), HOUR, 2))
        assert points == []
        assert (nothing.succeeded, nothing.wait_seconds.p50) == (0, None)


def _stretch(start, step_seconds, points):
    return Stretch(start=start, step_seconds=step_seconds, points=points)
