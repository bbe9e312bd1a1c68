"""What each filter of the list finds, alone and with others, page by page: the same as by looking at every job."""

import random
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import combinations
from uuid import UUID

from sqlalchemy import select
from tests.history import id_at

from perdure.db.models import JobRow
from perdure.db.session import Database
from perdure.models.job import Job
from perdure.models.lifecycle import FINAL, JobStatus
from perdure.models.outcome import ErrorReason, JobError
from perdure.models.retry import RetryPolicy
from perdure.repositories import job_search, job_ways
from perdure.repositories.job_filter import JobFilter
from perdure.repositories.job_queries import JobQueries
from perdure.repositories.job_repository import JobRepository

PAGE = 20
GROUPS = "0123456789abcdef", "fedcba9876543210"
MESSAGES = (
    "mail.example.com:25 refused",
    "no such file: /data/in.csv",
    "timed out after 30s (code=dead)",
    "Übel, it's over",
)
USERS = "ada", "grace", "x" * 254


def some_jobs(database: Database, count: int) -> list[Job]:
    chance, now = random.Random(6), database.clock.now()
    return [_job(chance, now - timedelta(minutes=count - number)) for number in range(count)]


def _job(chance: random.Random, made_at) -> Job:
    status = chance.choice(list(JobStatus))
    message = chance.choice(MESSAGES)
    failed = JobError(ErrorReason.RETRIES_EXHAUSTED, "OSError", message, fingerprint=chance.choice([None, *GROUPS]))
    has_error = status in {JobStatus.FAILED, JobStatus.RETRYING} or (
        status is JobStatus.CANCELLED and chance.random() < 0.5
    )
    user, address = chance.choice([None, *USERS]), chance.choice([None, "Ada@Example.com", "ada@example.com", "b@c.de"])
    return Job(
        job_id=id_at(made_at + timedelta(seconds=chance.uniform(-5, 5))),  # as if by another machine's clock
        job_type=chance.choice(["a", "b", "c"]),
        payload={},
        queue=chance.choice(["p", "q", "r", "s"]),
        priority=0,
        status=status,
        run_at=made_at,
        max_attempts=3,
        timeout_seconds=60.0,
        retry=RetryPolicy(1.0, 2.0),
        created_at=made_at,
        context=chance.choice([None, {"user_id": user, "email": address, "other": 1}]),
        tags=tuple(chance.sample(["red", "green", "blue"], chance.choice([0, 0, 1, 3]))),
        attempt=1,
        worker_id=UUID(int=1) if status is JobStatus.RUNNING else None,
        started_at=made_at,
        finished_at=made_at if status in FINAL else None,
        error=failed if has_error else None,
    )


def matches(job: Job, wanted: JobFilter) -> bool:
    """By the words of the documentation."""
    context, ended = job.context or {}, job.error if job.is_final else None
    words = set(re.findall(r"\w+", f"{ended.type} {ended.message}".lower())) if ended else set()
    return all(
        [
            not wanted.status or job.status in wanted.status,
            wanted.job_type in (None, job.job_type),
            wanted.queue in (None, job.queue),
            wanted.user_id in (None, context.get("user_id")),
            wanted.email is None or (context.get("email") or "").lower() == wanted.email.lower(),
            wanted.tag is None or wanted.tag in job.tags,
            wanted.error_group is None or (ended is not None and ended.fingerprint == wanted.error_group),
            wanted.created_after is None or job.created_at >= wanted.created_after,
            wanted.created_before is None or job.created_at < wanted.created_before,
            wanted.q is None
            or (bool(words) and words >= set(re.findall(r"\w+", wanted.q.lower())))
            or (re.match("[0-9a-f]{4}", wanted.q) is not None and str(job.job_id).startswith(wanted.q)),
        ]
    )


def single_filters(jobs: Sequence[Job]) -> list[dict]:
    middle = jobs[len(jobs) // 2]
    return [
        {},
        {"status": [JobStatus.FAILED]},
        {"status": [JobStatus.RUNNING]},
        {"status": [JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.CANCELLED]},
        {"job_type": "a"},
        {"queue": "q"},
        {"user_id": USERS[0]},
        {"user_id": USERS[-1]},
        {"email": "ADA@example.com"},
        {"tag": "green"},
        {"error_group": GROUPS[0]},
        {"created_after": middle.created_at},
        {"created_before": middle.created_at},
        {"q": "REFUSED"},
        {"q": "example com"},
        {"q": "dead"},
        {"q": "Übel"},
        {"q": "OSError in.csv"},
        {"q": "refuse"},
        {"q": str(middle.job_id)},
        {"q": str(middle.job_id)[:9]},
        {"q": str(middle.job_id)[:11]},
    ]


def combined(filters: Sequence[dict]) -> Iterator[JobFilter]:
    """Each alone, most pairs, and some of three."""
    chance = random.Random(7)
    yield from (JobFilter(**one) for one in filters)
    for one, other in combinations(filters[1:], 2):
        third = chance.choice([{}, {}, chance.choice(filters), None])
        if third is not None:
            yield JobFilter(**(third | one | other))


async def pages(queries: JobQueries, wanted: JobFilter) -> list[UUID]:
    page = await queries.newest(wanted, None, PAGE)
    found = [job.job_id for job in page.jobs]
    while page.rest is not None:
        page = await queries.newest(wanted, page.rest, PAGE)
        found += [job.job_id for job in page.jobs]
    return found


async def test_each_filter_finds_what_matches_newest_first_and_once(database, monkeypatch):
    """Whether there is time, or for one look only; and whether words are found by their index, or are too frequent."""
    chance = random.Random(8)
    monkeypatch.setattr(job_search, "FIRST_LOOK", 15)
    jobs = some_jobs(database, 200)
    async with database.transaction() as connection:
        await JobRepository(connection).add(jobs)
        queries = JobQueries(connection)
        empty = []
        for wanted in combined(single_filters(jobs)):
            monkeypatch.setattr(job_search, "LOOKING_SECONDS", chance.choice([0, 60]))
            monkeypatch.setattr(job_ways, "FREQUENT", chance.choice([2, 100]))
            expected = [job.job_id for job in jobs if matches(job, wanted)]
            assert await pages(queries, wanted) == sorted(expected, reverse=True), wanted
            matching = select(JobRow.job_id).where(*wanted.conditions())
            assert set((await connection.execute(matching)).scalars()) == set(expected), wanted
            empty += [wanted] * (not expected)
        assert len(empty) < 100, "most say something"
