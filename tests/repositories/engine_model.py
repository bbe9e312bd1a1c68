"""What the engine should come to: a plain account of every job, kept beside the database by the state machine.

It knows the rules of a job's life in its own words, so that it can disagree with the code.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from perdure.models.job import Job
from perdure.models.outcome import Cancelled, ErrorReason, Failed, Outcome, Released, Snoozed, Succeeded

FINAL = {"SUCCEEDED": "SUCCESS", "FAILED": "FAILURE", "CANCELLED": "CANCELLED"}
WAITING = {"SCHEDULED", "QUEUED", "RETRYING"}
ENDS_ATTEMPT = {"SUCCESS", "FAILURE", "CANCELLED", "RETRY", "SNOOZED", "RELEASED"}
RECIPIENT = "ada@example.com"

Event = tuple[int, int, str]
"""(run, attempt, event) of an entry of the timeline."""
Telling = tuple[int, str, str, str | None, str]
"""(run, event, channel, recipient, status) of a delivery."""


@dataclass(frozen=True)
class Stored:
    """A job as the database has it."""

    job: Job
    events: list[Event]
    deliveries: list[Telling]


@dataclass
class Expected:
    """A job as it should be."""

    submitted: Job
    status: str
    run_at: datetime
    expires_at: datetime | None = None
    run: int = 1
    attempt: int = 0
    fence: int = 0
    worker_id: UUID | None = None
    is_cancel_requested: bool = False
    finished_at: datetime | None = None
    progress: Any = None
    result: Any = None
    reason: ErrorReason | None = None
    events: list[Event] = field(default_factory=list)
    deliveries: set[Telling] = field(default_factory=set)

    @classmethod
    def of(cls, job: Job, now: datetime) -> "Expected":
        return cls(job, "SCHEDULED" if job.run_at > now else "QUEUED", job.run_at, job.expires_at)

    @property
    def place(self) -> tuple[int, datetime, UUID]:
        return -self.submitted.priority, self.run_at, self.submitted.job_id

    def is_over(self, now: datetime) -> bool:
        """Whether no attempt may begin any more."""
        return self.expires_at is not None and self.expires_at <= now

    def is_held_by(self, claimed: Job) -> bool:
        return self.status == "RUNNING" and self.fence == claimed.fence

    def claim(self, worker_id: UUID) -> None:
        self.status, self.worker_id = "RUNNING", worker_id
        self.attempt += 1
        self.fence += 1

    def conclude(self, outcome: Outcome, now: datetime) -> None:
        match outcome:
            case Succeeded(result):
                self.result, self.reason = result, None
                self._finish("SUCCEEDED", now)
            case Failed(error):
                self.reason = error.reason
                if self.attempt == self.submitted.max_attempts or error.reason is ErrorReason.NOT_RETRYABLE:
                    self._finish("FAILED", now)
                else:
                    delay = self.submitted.retry.delay_seconds(self.submitted.job_id, self.attempt)
                    self._again("RETRYING", "RETRY", now, self.attempt, now + timedelta(seconds=delay))
            case Snoozed(seconds):
                self._again("SCHEDULED", "SNOOZED", now, self.attempt - 1, now + timedelta(seconds=seconds))
            case Released():
                self._again("QUEUED", "RELEASED", now, self.attempt - 1, self.run_at)
            case Cancelled():
                self._finish("CANCELLED", now)

    def cancel(self, now: datetime) -> bool:
        """Whether it was cancelled at once."""
        if self.status == "RUNNING":
            self.is_cancel_requested = True
            return False
        self._finish("CANCELLED", now)
        return True

    def expire(self, now: datetime) -> None:
        self.reason = ErrorReason.EXPIRED
        self._finish("FAILED", now)

    def restart(self, now: datetime) -> None:
        self.events.append((self.run + 1, self.attempt, "RESTARTED"))
        self.status, self.run_at, self.run, self.attempt = "QUEUED", now, self.run + 1, 0
        self.is_cancel_requested, self.finished_at, self.expires_at = False, None, None
        self.progress = self.result = self.reason = None

    def agree_with(self, stored: Stored) -> None:
        job = stored.job
        found = (job.status, job.run, job.attempt, job.fence, job.worker_id, job.run_at, job.finished_at)
        assert found == (
            self.status,
            self.run,
            self.attempt,
            self.fence,
            self.worker_id,
            self.run_at,
            self.finished_at,
        )
        assert (job.cancel_requested_at is not None) == self.is_cancel_requested
        assert (job.progress, job.result, job.expires_at) == (self.progress, self.result, self.expires_at)
        assert (None if job.error is None else job.error.reason) == self.reason
        assert stored.events == self.events
        assert sorted(stored.deliveries, key=str) == sorted(self.deliveries, key=str)

    def _again(self, status: str, event: str, now: datetime, attempt: int, run_at: datetime) -> None:
        if self.is_cancel_requested:
            self._finish("CANCELLED", now)
        else:
            self._note(event)
            self.status, self.attempt, self.run_at, self.worker_id = status, attempt, run_at, None

    def _finish(self, status: str, now: datetime) -> None:
        event = FINAL[status]
        self._note(event)
        self.status, self.worker_id, self.finished_at = status, None, now
        if self.submitted.notifications is None:
            return
        recipient = (self.submitted.context or {}).get("email")
        if recipient is not None:
            self.deliveries.add((self.run, event, "email", recipient, "PENDING"))
        elif event != "CANCELLED":
            self.deliveries.add((self.run, event, "email", None, "SKIPPED"))

    def _note(self, event: str) -> None:
        self.events.append((self.run, self.attempt, event))


def keep_promises(stored: Stored) -> None:
    """What holds of every job at every moment, read from what is stored alone."""
    job = stored.job
    for run in range(1, job.run + 1):
        of_run = [(attempt, event) for its_run, attempt, event in stored.events if its_run == run]
        ends = [event for _, event in of_run if event in FINAL.values()]
        assert len(ends) == (run < job.run or job.is_final), "one final event a run, at its end"
        expected = 1
        for attempt, event in of_run:
            if event in ENDS_ATTEMPT - {"CANCELLED"}:  # a waiting job is cancelled, or expires, between two attempts
                between = event == "FAILURE" and attempt == expected - 1
                assert attempt == expected or between, "attempts are counted without gaps"
                expected += event == "RETRY"
        assert expected <= job.max_attempts, "an attempt too many"
    tellings = [telling[:4] for telling in stored.deliveries]
    assert len(tellings) == len(set(tellings)), "told once"
    events = {(run, event) for run, _, event in stored.events}
    assert {(run, event) for run, event, *_ in tellings} <= events, "told of what happened, and of nothing else"
