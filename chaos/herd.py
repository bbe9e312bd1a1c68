"""A herd: very many jobs that become due in the same second, and many processes that want them. Without any fault.

Nobody may get a job that another got, and priority must be kept. Not to the letter: a job is overtaken by those of
lower priority that are claimed while it is locked by somebody who is about to claim it, and within a second of
becoming ready, in which a worker may not yet have looked at its queue from the start. Beyond that no more jobs may
overtake it than one batch of each process holds.
"""

from __future__ import annotations

import asyncio
import bisect
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from chaos import oracle, records
from chaos.history import Answer, History, Plan, Submission
from chaos.installation import LOOK_SECONDS, START_SECONDS, Installation, installed
from chaos.outcome import Outcome, Proof
from chaos.processors import TASK_TYPE
from chaos.records import Records, Step
from perdure.bootstrap import opened_platform
from perdure.core.job_factory import JobFactory, ReadyType
from perdure.repositories.job_repository import JobRepository
from perdure.repositories.job_type_queries import JobTypeQueries
from perdure.schemas.job import JobCreate
from perdure.settings import Settings

JOBS = 10_000
PROCESSES = 8
CONCURRENCY = 10
PRIORITIES = (-100, -50, 0, 50, 100)
AHEAD_SECONDS = 4.0
NOTICED_SECONDS = 1.0
"""How late a worker may notice that something better than what it last claimed became ready."""
TOLERATED = PROCESSES * CONCURRENCY
LEASE_SECONDS = 30.0
DONE_SECONDS = 120.0
_LIVE = "SELECT count(*) AS count FROM perdure.workers WHERE lease_until > clock_timestamp()"
_LEFT = "SELECT count(*) AS count FROM perdure.jobs WHERE finished_at IS NULL"


async def run(directory: Path, seed: str) -> Outcome:
    chance = random.Random(f"{seed}-herd")  # noqa: S311 (a lot to be drawn again)
    async with installed(directory, chance, lease_seconds=LEASE_SECONDS) as made:
        made.work(processes=PROCESSES, PERDURE_CONCURRENCY=str(CONCURRENCY))
        await _until(made, _LIVE, PROCESSES, START_SECONDS)
        history, due = await _submit(made, chance)
        await _until(made, _LEFT, 0, DONE_SECONDS)
        found = await records.read(made.server)
        figures = oracle.judge(history, found, {})
    claims = _claims(found)
    figures["duplicated"] += [f"job {one.job_id} was claimed more than once" for one in _second(claims)]
    worst = _overtaken(found, claims)
    figures["overtaken"] = [f"a job was overtaken by {worst}"] if worst > TOLERATED else []
    last = max(step.at for step in found.steps)
    proofs = [
        Proof("jobs done", sum(job.status == "SUCCEEDED" for job in found.jobs), JOBS),
        Proof("worker processes that claimed", len({step.worker_id for step in claims}), PROCESSES),
    ]
    facts = {
        "seconds from due to the last end": round((last - due).total_seconds(), 1),
        "most that overtook one job": worst,
        "tolerated": TOLERATED,
    }
    return Outcome("herd", figures, proofs, facts)


async def _submit(made: Installation, chance: random.Random) -> tuple[History, datetime]:
    """Stores the jobs as a submission would, and returns when they are due."""
    history = History()
    settings = Settings.read(database_url=made.server.url, data_dir=made.directory / "data", log_level="error")
    async with opened_platform(settings) as platform, platform.database.transaction() as connection:
        now = platform.database.clock.now()
        due = now + timedelta(seconds=AHEAD_SECONDS)
        row = await JobTypeQueries(connection).get(TASK_TYPE)
        published = None if row is None else ReadyType(row)
        factory, jobs = JobFactory(platform.providers), []
        for number in range(1, JOBS + 1):
            payload = {"number": number, "seconds": [0.0]}
            sent = JobCreate(job_type=TASK_TYPE, payload=payload, priority=chance.choice(PRIORITIES), run_at=due)
            jobs.append(factory.create(sent, published, now))
            history.submissions[number] = Submission(number, Plan.PLAIN, False, Answer.ACCEPTED, jobs[-1].job_id)
        await JobRepository(connection).add(jobs)
    return history, due


async def _until(made: Installation, statement: str, count: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    while (await made.server.query(statement))[0]["count"] != count:
        if time.monotonic() > until:
            return  # the proofs will say so
        await asyncio.sleep(LOOK_SECONDS)


def _claims(found: Records) -> list[Step]:
    return sorted((step for step in found.steps if step.status_before == "QUEUED"), key=lambda step: step.at)


def _second(claims: Sequence[Step]) -> list[Step]:
    seen, again = set(), []
    for step in claims:
        again += [step] if step.job_id in seen else []
        seen.add(step.job_id)
    return again


def _overtaken(found: Records, claims: Sequence[Step]) -> int:
    """The most jobs of lower priority that were claimed while one was ready, and noticed by everybody."""
    ranks = {job.job_id: job.rank for job in found.jobs}
    ready = {step.job_id: step.at for step in found.steps if step.status == "QUEUED"}
    times: dict[int, list[datetime]] = defaultdict(list)
    for step in claims:
        times[ranks[step.job_id]].append(step.at)
    worst = 0
    for step in claims:
        noticed = ready[step.job_id] + timedelta(seconds=NOTICED_SECONDS)
        if noticed < step.at:
            lower = [at for rank, at in times.items() if rank > ranks[step.job_id]]
            worst = max(worst, sum(bisect.bisect_left(at, step.at) - bisect.bisect(at, noticed) for at in lower))
    return worst
