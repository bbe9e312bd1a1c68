from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.models.job import MAX_SNOOZES, Job
from perdure.models.lifecycle import FINAL, TRANSITIONS, WAITING, JobStatus, TimelineEvent
from perdure.models.outcome import (
    Cancelled,
    ErrorReason,
    Failed,
    JobError,
    Released,
    Snoozed,
    Succeeded,
)
from perdure.models.retry import RetryPolicy

NOW = datetime(2030, 1, 1, tzinfo=UTC)
WORKER = UUID(int=7)


def a_job(**changes) -> Job:
    declared = {
        "job_type": "demo.sleep",
        "payload": {},
        "queue": "default",
        "priority": 0,
        "max_attempts": 3,
        "timeout_seconds": 60.0,
        "retry": RetryPolicy(),
    }
    return replace(Job.submit(job_id=UUID(int=1), run_at=None, now=NOW, **declared), **changes)


def running(**changes) -> Job:
    held = {"status": JobStatus.RUNNING, "attempt": 1, "fence": 1, "worker_id": WORKER, "started_at": NOW}
    return a_job(**(held | changes))


def failed(reason: ErrorReason = ErrorReason.RETRIES_EXHAUSTED) -> Failed:
    return Failed(JobError(reason, "ValueError", "no", "trace"))


outcomes = st.one_of(
    st.builds(Succeeded, st.none() | st.integers()),
    st.sampled_from(ErrorReason).map(failed),
    st.builds(Snoozed, st.floats(0, 1e6)),
    st.just(Released()),
    st.just(Cancelled()),
)


@given(outcomes, st.integers(1, 5), st.integers(1, 5), st.booleans())
def test_whatever_ends_an_attempt_leads_to_a_legal_consistent_state(outcome, attempt, max_attempts, cancel_requested):
    attempt = min(attempt, max_attempts)
    job = running(attempt=attempt, max_attempts=max_attempts, cancel_requested_at=NOW if cancel_requested else None)
    transition = job.conclude(outcome, NOW)
    after = transition.job
    assert TRANSITIONS[JobStatus.RUNNING, after.status] is transition.event
    assert after.worker_id is None
    assert (after.status in FINAL) == (after.finished_at is not None)
    assert 0 <= after.attempt <= after.max_attempts
    assert after.fence == job.fence, "only a claim raises the fence"
    if cancel_requested:
        assert after.status in FINAL, "a cancelled job must not run again"


def test_attempts_are_used_up_one_by_one():
    job = running()
    transition = job.conclude(failed(), NOW)
    assert (transition.job.status, transition.event) == (JobStatus.RETRYING, TimelineEvent.RETRY)
    assert transition.job.run_at > NOW
    last = running(attempt=3).conclude(failed(), NOW)
    assert last.job.status is JobStatus.FAILED
    assert last.job.error is not None
    assert last.job.error.reason is ErrorReason.RETRIES_EXHAUSTED


@pytest.mark.parametrize("reason", [ErrorReason.NOT_RETRYABLE, ErrorReason.EXPIRED])
def test_what_cannot_be_mended_is_not_retried(reason):
    assert running().conclude(failed(reason), NOW).job.status is JobStatus.FAILED


@pytest.mark.parametrize("reason", [ErrorReason.TIMED_OUT, ErrorReason.WORKER_LOST])
def test_time_outs_and_lost_workers_are_retried(reason):
    assert running().conclude(failed(reason), NOW).job.status is JobStatus.RETRYING


@pytest.mark.parametrize(("outcome", "status"), [(Snoozed(60), JobStatus.SCHEDULED), (Released(), JobStatus.QUEUED)])
def test_snooze_and_release_give_the_attempt_back(outcome, status):
    after = running(attempt=2).conclude(outcome, NOW).job
    assert (after.status, after.attempt) == (status, 1)


def test_a_run_is_snoozed_a_thousand_times_at_most():
    last = running(snoozes=MAX_SNOOZES - 1).conclude(Snoozed(60), NOW).job
    assert (last.status, last.snoozes) == (JobStatus.SCHEDULED, MAX_SNOOZES)
    over = running(snoozes=MAX_SNOOZES).conclude(Snoozed(60), NOW).job
    assert (over.status, over.error.reason) == (JobStatus.FAILED, ErrorReason.NOT_RETRYABLE)
    assert "1,000" in over.error.message


def test_the_next_attempt_waits_as_long_as_the_failed_one_said():
    asked = Failed(failed().error, retry_seconds=7.0)
    assert running().conclude(asked, NOW).job.run_at == NOW + timedelta(seconds=7)
    assert running(attempt=3).conclude(asked, NOW).job.status is JobStatus.FAILED


def test_every_error_that_is_kept_has_a_fingerprint():
    known = running().conclude(Failed(JobError(ErrorReason.RETRIES_EXHAUSTED, "E", "no", fingerprint="known")), NOW)
    lost = [
        running(job_type=job_type).conclude(Failed(JobError(ErrorReason.WORKER_LOST, "WorkerLost", message)), NOW)
        for job_type, message in (("a", "after 3 s"), ("a", "after 5 s"), ("b", "after 3 s"))
    ]
    first, second, other = (one.job.error.fingerprint for one in lost)
    assert (known.job.error.fingerprint, first) == ("known", second)
    assert None not in (first, other)
    assert first != other


def test_success_forgets_the_error_of_earlier_attempts():
    earlier = running().conclude(failed(), NOW).job
    again = replace(earlier, status=JobStatus.RUNNING, attempt=2, worker_id=WORKER)
    assert again.conclude(Succeeded(5), NOW).job.error is None


def test_a_job_due_later_is_scheduled():
    job = Job.submit(
        job_id=UUID(int=1),
        run_at=NOW + timedelta(hours=1),
        now=NOW,
        job_type="t",
        payload={},
        queue="q",
        priority=0,
        max_attempts=1,
        timeout_seconds=1.0,
        retry=RetryPolicy(),
    )
    assert job.status is JobStatus.SCHEDULED


@pytest.mark.parametrize("status", sorted(WAITING))
def test_waiting_jobs_are_cancelled_at_once(status):
    transition = a_job(status=status).cancel(NOW)
    assert (transition.job.status, transition.event) == (JobStatus.CANCELLED, TimelineEvent.CANCELLED)


@pytest.mark.parametrize("status", sorted(FINAL))
def test_a_restart_opens_a_clean_new_run(status):
    ended = a_job(
        status=status,
        attempt=3,
        snoozes=9,
        finished_at=NOW,
        result=1,
        error=failed().error,
        cancel_requested_at=NOW,
        fence=3,
    )
    after = ended.restart(NOW).job
    assert (after.status, after.run, after.attempt, after.snoozes) == (JobStatus.QUEUED, 2, 0, 0)
    assert (after.result, after.error, after.finished_at, after.cancel_requested_at) == (None, None, None, None)
    assert after.fence == 3, "the fence never goes back"


@pytest.mark.parametrize("status", sorted(set(JobStatus) - {JobStatus.RUNNING}))
def test_only_a_running_job_can_be_concluded(status):
    job = a_job(status=status, finished_at=NOW if status in FINAL else None)
    with pytest.raises(KeyError):
        job.conclude(Succeeded(None), NOW)


def test_only_the_step_that_ends_an_attempt_says_when_that_began():
    ended = running().conclude(failed(), NOW)
    assert ended.attempt_started_at == NOW
    assert ended.job.cancel(NOW).attempt_started_at is None
    assert running().conclude(Succeeded(None), NOW).job.restart(NOW).attempt_started_at is None
