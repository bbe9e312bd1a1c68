"""Any life of a job, by the aggregate alone: whatever happens in whatever order, what is always true stays true.

What statements do to a job (the claim, becoming due, a request to cancel) is done here by hand; every other step is
the job's own.
"""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.models.test_job import NOW, a_job, outcomes

from perdure.models.job import Job, Transition
from perdure.models.lifecycle import BECOMES_DUE, FINAL, TRANSITIONS, JobStatus, TimelineEvent
from perdure.models.outcome import ErrorReason, Failed

GIVES_THE_ATTEMPT_BACK = {TimelineEvent.SNOOZED, TimelineEvent.RELEASED}
MAY_BE_RETRIED = set(ErrorReason) - {ErrorReason.NOT_RETRYABLE, ErrorReason.EXPIRED}


def standing(*statuses: JobStatus):
    return precondition(lambda machine: machine.job.status in statuses)


class Lifecycle(RuleBasedStateMachine):
    job: Job

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.story: list[Transition] = []

    @initialize(max_attempts=st.integers(1, 4))
    def submit(self, max_attempts):
        self.job = a_job(max_attempts=max_attempts)

    @rule(seconds=st.integers(0, 1_000))
    def time_passes(self, seconds):
        self.now += timedelta(seconds=seconds)

    @standing(*BECOMES_DUE)
    @rule()
    def become_due(self):
        self.now = max(self.now, self.job.run_at)
        self.job = replace(self.job, status=JobStatus.QUEUED)

    @standing(JobStatus.QUEUED)
    @rule(worker=st.integers(1, 3))
    def claim(self, worker):
        self.job = replace(
            self.job,
            status=JobStatus.RUNNING,
            attempt=self.job.attempt + 1,
            fence=self.job.fence + 1,
            worker_id=UUID(int=worker),
            started_at=self.now,
        )

    @standing(JobStatus.RUNNING)
    @rule(outcome=outcomes, late=st.booleans(), unwanted=st.booleans())
    def conclude(self, outcome, late, unwanted):
        """Of an attempt that somebody may want cancelled."""
        before = self.job = replace(self.job, cancel_requested_at=self.now if unwanted else None)
        self.step(before.conclude(outcome, self.now - timedelta(seconds=late)))
        if isinstance(outcome, Failed) and before.cancel_requested_at is None:
            again = outcome.error.reason in MAY_BE_RETRIED and before.attempt < before.max_attempts
            assert self.job.status is (JobStatus.RETRYING if again else JobStatus.FAILED)

    @standing(JobStatus.SCHEDULED, JobStatus.QUEUED, JobStatus.RETRYING)
    @rule()
    def cancel(self):
        self.step(self.job.cancel(self.now))

    @standing(JobStatus.SCHEDULED, JobStatus.QUEUED, JobStatus.RETRYING)
    @rule()
    def expire(self):
        self.job = replace(self.job, expires_at=self.now)
        self.step(self.job.expire(self.now))
        assert (self.job.status, self.job.error.reason) == (JobStatus.FAILED, ErrorReason.EXPIRED)

    @standing(*FINAL)
    @rule()
    def restart(self):
        self.step(self.job.restart(self.now))
        assert self.job.expires_at is None
        assert (self.job.attempt, self.job.error, self.job.result, self.job.progress) == (0, None, None, None)

    def step(self, transition: Transition) -> None:
        before, after = transition.before, transition.job
        assert before is self.job
        assert TRANSITIONS[before.status, after.status] is transition.event
        assert after.fence == before.fence, "only a claim raises the fence"
        assert after.run == before.run + (transition.event is TimelineEvent.RESTARTED)
        if transition.event is not TimelineEvent.RESTARTED:
            assert after.attempt == before.attempt - (transition.event in GIVES_THE_ATTEMPT_BACK)
        if after.status in BECOMES_DUE:
            assert after.run_at >= transition.at
        if before.cancel_requested_at is not None and before.status is JobStatus.RUNNING:
            assert after.status in FINAL, "what somebody wants cancelled does not wait for another attempt"
        self.job = after
        self.story.append(transition)

    @invariant()
    def its_fields_agree(self):
        job = self.job
        running = job.status is JobStatus.RUNNING
        assert 0 <= job.attempt <= job.max_attempts
        assert job.attempt >= 1 or not running
        assert (job.worker_id is not None) == running
        assert (job.finished_at is not None) == (job.status in FINAL)
        if job.started_at is not None and job.finished_at is not None:
            assert job.started_at <= job.finished_at

    @invariant()
    def each_run_ends_at_most_once(self):
        ends = [transition.job.run for transition in self.story if transition.job.status in FINAL]
        assert ends == sorted(set(ends))


Lifecycle.TestCase.settings = settings(max_examples=200, stateful_step_count=40)
TestLifecycle = Lifecycle.TestCase
