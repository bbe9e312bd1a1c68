"""A platform as it looks in the middle of a working day: six hundred jobs of eight types, and what goes with them.

The same at every run but for the time of day. Jobs are made by the models' own transitions and written by the
repositories, so that nothing is shown that could not be; the rest (``dataset_platform``) is rows.
"""

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from tests.browser import dataset_platform as around
from tests.browser.dataset_types import MAIL, TYPES, JobType

from perdure.clock import first_id_at
from perdure.db.session import Database
from perdure.db.url import DatabaseUrl
from perdure.models.fingerprint import fingerprint
from perdure.models.job import Job, Transition
from perdure.models.lifecycle import JobStatus
from perdure.models.outcome import Cancelled, ErrorReason, Failed, JobError, Succeeded
from perdure.models.retry import RetryPolicy
from perdure.repositories.job_events import JobEvents
from perdure.repositories.job_repository import JobRepository

JOBS = 600
HOURS = 20
USERS = [f"user-{number}" for number in (1042, 2210, 3381, 4077, 5120, 6903, 7718)]
PEOPLE = ["ada", "grace", "edsger", "barbara", "donald", "radia", "leslie"]
HOSTILE = '<script>alert("perdure")</script><img src=x onerror=alert(1)>'


@dataclass(frozen=True)
class DataSet:
    """The jobs that tests ask for by name."""

    succeeded: UUID
    failed: UUID
    running: UUID
    scheduled: UUID
    hostile: UUID
    group: str
    """The fingerprint that most failures share."""
    failed_in_group: int


class _Writer:
    """Makes jobs, a moment apart, and remembers their steps."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.random = random.Random(1843)
        self.jobs: list[Job] = []
        self.steps: list[Transition] = []
        self.workers = around.worker_ids(now)

    def submitted(self, kind: JobType, at: datetime, *, run_at: datetime | None = None, **declared) -> Job:
        job_id = UUID(int=first_id_at(at).int | 7 << 76 | 2 << 62 | self.random.getrandbits(60))
        who = self.random.randrange(len(USERS))
        declared = {
            "payload": kind.payload(self.random),
            "queue": kind.queue,
            "priority": kind.priority,
            "max_attempts": kind.max_attempts,
            "timeout_seconds": 600.0,
            "retry": RetryPolicy(2.0, 300.0),
            "context": {"user_id": USERS[who], "email": f"{PEOPLE[who]}@example.com"} if kind.is_for_people else None,
            "notifications": kind.notifications,
            "tags": kind.tags,
        } | declared
        return Job.submit(job_id=job_id, job_type=kind.name, run_at=run_at, now=at, **declared)

    def started(self, job: Job, at: datetime) -> Job:
        worker = self.workers[self.random.randrange(3)]
        return replace(
            job, status=JobStatus.RUNNING, attempt=job.attempt + 1, fence=job.fence + 1, worker_id=worker, started_at=at
        )

    def step(self, transition: Transition) -> Job:
        self.steps.append(transition)
        return transition.job

    def keep(self, job: Job) -> Job:
        self.jobs.append(job)
        return job

    def succeeded(self, kind: JobType, at: datetime, **declared) -> Job:
        began = at + timedelta(seconds=self.random.expovariate(1 / 1.8))
        job = self.started(self.submitted(kind, at, **declared), began)
        if self.random.random() < 0.05:
            job = self._again(job, self.error(kind))
        took = timedelta(seconds=self.random.lognormvariate(kind.log_seconds, 0.5))
        return self.keep(self.step(job.conclude(Succeeded(kind.result(self.random)), job.started_at + took)))

    def failed(self, kind: JobType, at: datetime, error: JobError, **declared) -> Job:
        job = self.started(self.submitted(kind, at, **declared), at + timedelta(seconds=1.2))
        while job.attempt < job.max_attempts and error.reason is not ErrorReason.NOT_RETRYABLE:
            job = self._again(job, error)
        took = timedelta(seconds=self.random.lognormvariate(kind.log_seconds - 0.5, 0.4))
        return self.keep(self.step(job.conclude(Failed(error), job.started_at + took)))

    def _again(self, job: Job, error: JobError) -> Job:
        waiting = self.step(job.conclude(Failed(error), job.started_at + timedelta(seconds=0.8)))
        return self.started(waiting, waiting.run_at + timedelta(seconds=0.05))

    def error(self, kind: JobType, number: int = 0) -> JobError:
        number %= len(kind.errors)
        reason, error_type, message = kind.errors[number]
        known = JobError(ErrorReason(reason), error_type, message.format(self.random.randrange(1_000, 9_999)))
        where = [f"{kind.name}.run", f"{error_type}.{number}"]
        return replace(
            known,
            traceback=around.traceback_of(kind.name, error_type, known.message),
            fingerprint=fingerprint(kind.name, reason, error_type, "", where),
        )


async def fill(url: str, *, with_hostile: bool = True) -> DataSet:
    """Writes everything, as of now; the job by somebody hostile only where it is wanted."""
    database = Database(DatabaseUrl.parse(url))
    try:
        await database.read_clock()
        now = database.clock.now()
        writer = _Writer(now)
        _past(writer)
        named = _present(writer, with_hostile=with_hostile)
        async with database.transaction() as connection:
            await around.write_platform(connection, now)
            await JobRepository(connection).add(writer.jobs)
            await JobEvents(connection).add(writer.steps)
            await around.write_deliveries(connection, writer.steps, writer.random)
            await around.write_log(connection, [named["succeeded"], named["failed"], named["running"]])
        group = named["failed"].error.fingerprint
        sharing = [job for job in writer.jobs if job.status is JobStatus.FAILED and job.error.fingerprint == group]
        return DataSet(**{name: job.job_id for name, job in named.items()}, group=group, failed_in_group=len(sharing))
    finally:
        await database.close()


def _past(writer: _Writer) -> None:
    """What was done since this morning."""
    for number in range(JOBS):
        age = timedelta(hours=HOURS) * (1 - number / JOBS) + timedelta(minutes=4)
        at = writer.now - age
        kind = writer.random.choices(TYPES, [one.weight for one in TYPES])[0]
        luck = writer.random.random()
        if luck < kind.failing:
            writer.failed(kind, at, writer.error(kind, writer.random.choice((0, 0, 0, 1))))
        elif luck < kind.failing + 0.012:
            writer.keep(writer.step(writer.submitted(kind, at).cancel(at + timedelta(seconds=20))))
        else:
            writer.succeeded(kind, at)


def _present(writer: _Writer, *, with_hostile: bool) -> dict[str, Job]:
    """What is under way, what waits, and the jobs with a name."""
    kinds = {kind.name: kind for kind in TYPES}
    now, named = writer.now, {}
    for number, name in enumerate(
        ["report.build", "media.transcode", "media.transcode", "search.reindex", "csv.profile"]
    ):
        began = now - timedelta(seconds=47 * number + 12)
        job = writer.started(writer.submitted(kinds[name], began - timedelta(seconds=2)), began)
        job = replace(job, progress={"percent": 18 + 17 * number, "message": kinds[name].progress})
        named.setdefault("running", writer.keep(job))
    for number in range(14):
        kind = kinds["media.transcode" if number % 3 else "report.build"]
        writer.keep(writer.submitted(kind, now - timedelta(seconds=11 * number + 3)))
    for number in range(3):  # nobody can do these
        writer.keep(writer.submitted(kinds["ledger.close"], now - timedelta(minutes=41 - number)))
    for number in range(6):
        writer.keep(writer.submitted(kinds["customer.sync"], now - timedelta(minutes=18 + number)))
    for number in range(5):
        kind = kinds["invoice.render"]
        job = writer.started(writer.submitted(kind, now - timedelta(seconds=70 + number)), now - timedelta(seconds=69))
        waiting = writer.step(job.conclude(Failed(writer.error(kind)), now - timedelta(seconds=60)))
        writer.keep(replace(waiting, run_at=now + timedelta(minutes=3 + number)))
    for hours in (1, 3, 9, 26):
        at = now - timedelta(minutes=30)
        named["scheduled"] = writer.keep(
            writer.submitted(kinds["digest.send"], at, run_at=now + timedelta(hours=hours), priority=10)
        )
    running = writer.started(
        writer.submitted(kinds["report.build"], now - timedelta(minutes=6)), now - timedelta(minutes=5)
    )
    writer.keep(
        writer.step(replace(running, cancel_requested_at=now).conclude(Cancelled(), now - timedelta(minutes=2)))
    )
    named["succeeded"] = writer.succeeded(
        kinds["report.build"], now - timedelta(minutes=3), tags=("monthly", "finance")
    )
    named["failed"] = writer.failed(
        kinds["invoice.render"], now - timedelta(minutes=2), writer.error(kinds["invoice.render"])
    )
    named["hostile"] = _hostile(writer, kinds["csv.profile"]) if with_hostile else named["failed"]
    return named


def _hostile(writer: _Writer, kind: JobType) -> Job:
    """A job by somebody who hopes that a page will run what it shows."""
    error = replace(
        writer.error(kind), type=f"Error{HOSTILE}", message=f"could not read {HOSTILE}", traceback=HOSTILE * 3
    )
    context = {"user_id": f'"><b>{HOSTILE}', "email": around.MALLORY}
    return writer.failed(
        kind,
        writer.now - timedelta(minutes=1),
        error,
        payload={"file": HOSTILE, HOSTILE: [HOSTILE]},
        context=context,
        notifications=MAIL,
    )
