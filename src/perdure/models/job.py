"""The job: the one aggregate of the platform, and the rules of its life.

A ``Job`` is an immutable value. What happens to it makes a ``Transition``: the job as it is afterwards, what the
timeline calls the step, and the fence under which it may be written. The repository writes a transition only if the
job is still in the state, and under the fence, that the transition started from.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, assert_never
from uuid import UUID

from perdure.models.fingerprint import fingerprint
from perdure.models.lifecycle import FINAL, TRANSITIONS, WAITING, JobStatus, TimelineEvent
from perdure.models.outcome import (
    Cancelled,
    ErrorReason,
    Failed,
    JobError,
    Outcome,
    Released,
    Snoozed,
    Succeeded,
)
from perdure.models.place import Place
from perdure.models.retry import RetryPolicy

MAX_SNOOZES = 1_000
"""How often a run may be snoozed: attempts are given back, so nothing else would end a job that always asks for it."""

_NO_SECOND_CHANCE = frozenset({ErrorReason.NOT_RETRYABLE, ErrorReason.EXPIRED})
_EXPIRED = JobError(ErrorReason.EXPIRED, "Expired", "it was too late to begin an attempt: expires_at had come")
_SNOOZED_TOO_OFTEN = JobError(
    ErrorReason.NOT_RETRYABLE,
    "Snooze",
    f"the processor asked {MAX_SNOOZES + 1:,} times in one run to be run again later; {MAX_SNOOZES:,} is the most",
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as it stands.

    ``context`` and ``notifications`` are kept as sent and mean nothing here. ``fence`` counts the claims: whoever
    holds the current number may write, nobody else. ``run`` counts from 1, ``attempt`` from 1 once running, and
    starts again in each run, as ``snoozes`` does from 0. ``names_files``: only a worker that sees the file store may
    claim it. ``is_limited``: its type or its ``concurrency_key`` limits how many run at a time. No attempt begins after
    ``expires_at``. ``copy_of``: the job whose edited copy it is. Times are aware UTC datetimes by the database's clock.
    """

    job_id: UUID
    job_type: str
    payload: Any
    queue: str
    priority: int
    status: JobStatus
    run_at: datetime
    max_attempts: int
    timeout_seconds: float
    retry: RetryPolicy
    created_at: datetime
    context: dict[str, Any] | None = None
    notifications: dict[str, Any] | None = None
    tags: tuple[str, ...] = ()
    names_files: bool = False
    expires_at: datetime | None = None
    unique_key: str | None = None
    concurrency_key: str | None = None
    is_limited: bool = False
    copy_of: UUID | None = None
    run: int = 1
    attempt: int = 0
    snoozes: int = 0
    fence: int = 0
    worker_id: UUID | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    progress: dict[str, Any] | None = None
    result: Any = None
    error: JobError | None = None

    @classmethod
    def submit(cls, *, job_id: UUID, run_at: datetime | None, now: datetime, **declared: Any) -> Job:
        """A new job: ready at once, or SCHEDULED when ``run_at`` lies ahead of ``now``."""
        due = run_at is None or run_at <= now
        status = JobStatus.QUEUED if due else JobStatus.SCHEDULED
        times = {"run_at": now if run_at is None else run_at, "created_at": now}
        return cls.of(_AT_FIRST | declared | times | {"job_id": job_id, "status": status})

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Job:
        """The job with exactly these fields; the dictionary becomes its own. Left out may be what is as by default.

        A worker makes one of each row: field by field it took 7 us, so it takes 0.2.
        """
        job = object.__new__(cls)
        object.__setattr__(job, "__dict__", fields)
        return job

    @property
    def place(self) -> Place:
        """Where it stands among the ready jobs of its queue."""
        return Place(-self.priority, self.run_at, self.job_id)

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def is_waiting(self) -> bool:
        return self.status in WAITING

    @property
    def claim_key(self) -> tuple[UUID, int]:
        """Names the latest claim that this value knows of. What one claim came to is written once."""
        return self.job_id, self.fence

    def conclude(self, outcome: Outcome, now: datetime) -> Transition:  # noqa: PLR0911 (an arm per outcome)
        """What the end of the running attempt makes of the job.

        A job that somebody wants cancelled does not wait for another attempt: whatever would put it back ends it.
        """
        now = now if self.started_at is None else max(now, self.started_at)  # two readings of a clock may cross
        match outcome:
            case Succeeded():  # most are, so no dictionary is made but this one
                changes = _SUCCEEDED | {"finished_at": now, "result": outcome.result}
                return Transition(self, TRANSITIONS[self.status, JobStatus.SUCCEEDED], now, changes)
            case Failed(error, retry_seconds):
                return self._fail(error, retry_seconds, now)
            case Cancelled():
                return self._finish(JobStatus.CANCELLED, now)
            case Snoozed() | Released() if self.cancel_requested_at is not None:
                return self._finish(JobStatus.CANCELLED, now)
            case Snoozed() if self.snoozes >= MAX_SNOOZES:
                return self._fail(_SNOOZED_TOO_OFTEN, None, now)
            case Snoozed(seconds):
                given_back = {"attempt": self.attempt - 1, "snoozes": self.snoozes + 1}
                return self._wait(JobStatus.SCHEDULED, now, seconds, **given_back)
            case Released():
                return self._to(JobStatus.QUEUED, now, attempt=self.attempt - 1, started_at=None)
            case _:  # pragma: no cover
                assert_never(outcome)

    def cancel(self, now: datetime) -> Transition:
        """Cancels a waiting job at once. A running one is asked to stop instead, by its worker."""
        return self._finish(JobStatus.CANCELLED, now)

    def expire(self, now: datetime) -> Transition:
        """Fails a waiting job whose ``expires_at`` has come."""
        now = now if self.expires_at is None else max(now, self.expires_at)  # two readings of a clock may cross
        return self._fail(_EXPIRED, None, now)

    def restart(self, now: datetime) -> Transition:
        """Opens a new run of a finished job: attempts count from the start, and what the last run left is cleared.

        Whoever asks for it wants it run, however late: it expires no more.
        """
        return self._to(
            JobStatus.QUEUED,
            now,
            run=self.run + 1,
            attempt=0,
            snoozes=0,
            run_at=now,
            expires_at=None,
            started_at=None,
            finished_at=None,
            cancel_requested_at=None,
            progress=None,
            result=None,
            error=None,
        )

    def _fail(self, error: JobError, retry_seconds: float | None, now: datetime) -> Transition:
        if error.fingerprint is None:
            group = fingerprint(self.job_type, error.reason.value, error.type, error.message)
            error = replace(error, fingerprint=group)
        if not self._may_retry(error):
            return self._finish(JobStatus.FAILED, now, error=error)
        if self.cancel_requested_at is not None:
            return self._finish(JobStatus.CANCELLED, now, error=error)
        delay = self.retry.delay_seconds(self.job_id, self.attempt) if retry_seconds is None else retry_seconds
        return self._wait(JobStatus.RETRYING, now, delay, error=error)

    def _may_retry(self, error: JobError) -> bool:
        return self.attempt < self.max_attempts and error.reason not in _NO_SECOND_CHANCE

    def _finish(self, status: JobStatus, now: datetime, **changes: Any) -> Transition:
        return self._to(status, now, finished_at=now, **changes)

    def _wait(self, status: JobStatus, now: datetime, seconds: float, **changes: Any) -> Transition:
        return self._to(status, now, run_at=now + timedelta(seconds=seconds), **changes)

    def _to(self, status: JobStatus, now: datetime, **changes: Any) -> Transition:
        changes["status"], changes["worker_id"] = status, None
        return Transition(self, TRANSITIONS[self.status, status], now, changes)


_SUCCEEDED = {"status": JobStatus.SUCCEEDED, "worker_id": None, "finished_at": None, "result": None, "error": None}
_AT_FIRST = {field.name: field.default for field in fields(Job) if field.default is not MISSING}


@dataclass(slots=True, eq=False)
class Transition:
    """One recorded step of a job: valid only while the stored job is still as ``before`` says (state and fence).

    A value, as the job is; it is not frozen for the time that takes, and since what ``changes`` make of the job is
    worked out when somebody asks: of a plain success nobody does.
    """

    before: Job
    event: TimelineEvent
    at: datetime
    changes: dict[str, Any]
    """The fields of the job that are new."""
    _job: Job | None = None

    @property
    def job(self) -> Job:
        """As it is afterwards."""
        if self._job is None:
            self._job = Job.of(self.before.__dict__ | self.changes)
        return self._job

    @property
    def status(self) -> JobStatus:
        """The job's afterwards."""
        status: JobStatus = self.changes["status"]
        return status

    @property
    def data(self) -> dict[str, Any]:
        """What the timeline keeps of the step besides its name: enough to tell each attempt's story afterwards."""
        before, after, event = self.before, self.job, self.event
        data: dict[str, Any] = {}
        if before.worker_id is not None:
            data["worker_id"] = str(before.worker_id)
        if event in (TimelineEvent.RETRY, TimelineEvent.FAILURE) and after.error is not None:
            data["error"] = {key: value for key, value in after.error.as_json().items() if key != "traceback"}
        if event in (TimelineEvent.RETRY, TimelineEvent.SNOOZED):
            data["run_at"] = after.run_at.isoformat()
        return data

    @property
    def is_plain_success(self) -> bool:
        """Whether all that it changes of a running job is that it SUCCEEDED, with a result."""
        before = self.before
        return (
            self.event is TimelineEvent.SUCCESS
            and before.cancel_requested_at is None
            and before.progress is None
            and before.worker_id is not None
        )

    @property
    def takes_unique_key(self) -> bool:
        """Whether it opens a job again whose unique key another live job may have by now."""
        return self.job.unique_key is not None and self.before.is_final

    @property
    def attempt_started_at(self) -> datetime | None:
        """When the attempt that the step ended began; None where it ended none."""
        return self.before.started_at if self.before.status is JobStatus.RUNNING else None

    @property
    def frees_slot(self) -> bool:
        """Whether another job that the same limit holds for may start now."""
        return self.before.is_limited and self.before.status is JobStatus.RUNNING
