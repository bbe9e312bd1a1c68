"""Reasons, from facts alone: there is always one, the decisive one comes first, and no address is among them."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.core.explanation import MESSAGE_LENGTH, explain
from perdure.models.delivery import Delivery, DeliveryStatus
from perdure.models.explanation import AHEAD_COUNTED, Capacity, Holder, ReasonCode, Surroundings
from perdure.models.job import Job
from perdure.models.lifecycle import FINAL, JobStatus
from perdure.models.outcome import ErrorReason, JobError
from perdure.models.retry import RetryPolicy

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ERROR = JobError(ErrorReason.RETRIES_EXHAUSTED, "ValueError", "no such month\nsecond line")


def a_job(status: JobStatus, **changes) -> Job:
    facts = {
        "job_id": UUID(int=1),
        "job_type": "report.build",
        "payload": {},
        "queue": "reports",
        "priority": 0,
        "status": status,
        "run_at": NOW,
        "max_attempts": 4,
        "timeout_seconds": 60.0,
        "retry": RetryPolicy(1.0, 2.0),
        "created_at": NOW,
        "attempt": 2,
        "started_at": NOW,
        "finished_at": NOW if status in FINAL else None,
        "worker_id": UUID(int=2) if status is JobStatus.RUNNING else None,
    }
    return Job(**facts | changes)


def a_delivery(status: DeliveryStatus, recipient: str | None = "ada@example.com") -> Delivery:
    return Delivery(
        delivery_id=UUID(int=3),
        job_id=UUID(int=1),
        run=1,
        event="SUCCESS",
        channel="email",
        provider="mailtrap",
        recipient=recipient,
        status=status,
        snapshot={},
        created_at=NOW,
        next_attempt_at=NOW,
        reason="exhausted",
        finished_at=NOW,
    )


ABLE = Capacity(alive=3, serving_queue=2, knowing_type=2, able=2, slots=10, running=4)
HOLDER = Holder(worker_id=UUID(int=2), hostname="host", process_id=7, lease_until=NOW + MINUTE, alive=True)
LAPSED = Holder(worker_id=UUID(int=2), hostname="host", process_id=7, lease_until=NOW - MINUTE, alive=False)


CASES = [
    (a_job(JobStatus.SCHEDULED, run_at=NOW + MINUTE), Surroundings(), ["scheduled"]),
    (a_job(JobStatus.SCHEDULED, run_at=NOW - MINUTE), Surroundings(), ["due", "scheduled"]),
    (a_job(JobStatus.RETRYING, run_at=NOW + MINUTE, error=ERROR), Surroundings(), ["backing_off"]),
    (a_job(JobStatus.QUEUED), Surroundings(), ["no_worker"]),
    (a_job(JobStatus.QUEUED), Surroundings(capacity=Capacity(alive=3)), ["no_worker_for_queue"]),
    (a_job(JobStatus.QUEUED), Surroundings(capacity=Capacity(alive=3, serving_queue=1)), ["no_worker_for_type"]),
    (
        a_job(JobStatus.QUEUED),
        Surroundings(capacity=Capacity(alive=3, serving_queue=1, knowing_type=1)),
        ["no_worker_for_files"],
    ),
    (a_job(JobStatus.QUEUED), Surroundings(capacity=ABLE), ["ready", "position"]),
    (
        a_job(JobStatus.QUEUED),
        Surroundings(capacity=Capacity(alive=1, serving_queue=1, knowing_type=1, able=1, slots=4, running=4)),
        ["workers_busy", "position"],
    ),
    (a_job(JobStatus.RUNNING), Surroundings(holder=HOLDER), ["running"]),
    (a_job(JobStatus.RUNNING), Surroundings(holder=LAPSED), ["lease_lapsed"]),
    (a_job(JobStatus.RUNNING), Surroundings(), ["lease_lapsed"]),
    (
        a_job(JobStatus.RUNNING, cancel_requested_at=NOW, progress={"percent": 40.0, "message": None}),
        Surroundings(holder=HOLDER),
        ["running", "cancel_requested", "progress"],
    ),
    (a_job(JobStatus.SUCCEEDED), Surroundings(), ["succeeded", "nobody_to_tell"]),
    (a_job(JobStatus.FAILED, error=ERROR), Surroundings(), ["failed", "nobody_to_tell"]),
    (a_job(JobStatus.CANCELLED), Surroundings(), ["cancelled", "nobody_to_tell"]),
    (
        a_job(JobStatus.SUCCEEDED),
        Surroundings(deliveries=[a_delivery(status) for status in DeliveryStatus]),
        ["succeeded", "being_told", "being_told", "being_told", "told", "not_told", "not_told"],
    ),
]


@pytest.mark.parametrize(("job", "around", "codes"), CASES)
def test_the_reasons_follow_from_the_facts(job, around, codes):
    assert [reason.code.value for reason in explain(job, around, NOW).reasons] == codes


@pytest.mark.parametrize(
    ("job", "around", "said"),
    [
        (
            a_job(JobStatus.SCHEDULED, run_at=NOW + MINUTE),
            Surroundings(),
            "It is scheduled for 2030-01-01 12:01:00 UTC.",
        ),
        (
            a_job(JobStatus.RETRYING, run_at=NOW + MINUTE, error=ERROR),
            Surroundings(),
            "It waits until 2030-01-01 12:01:00 UTC: attempt 2 of 4 ended with ValueError: no such month (retries_",
        ),
        (a_job(JobStatus.QUEUED), Surroundings(capacity=Capacity(alive=1)), "perdure worker --queues reports"),
        (a_job(JobStatus.QUEUED), Surroundings(capacity=ABLE), "6 of 10 slots for it are free"),
        (a_job(JobStatus.RUNNING), Surroundings(holder=HOLDER), "on host (process 7)"),
    ],
)
def test_the_summary_is_the_decisive_sentence(job, around, said):
    assert said in explain(job, around, NOW).summary


def test_a_long_queue_is_counted_no_further_than_it_was_read():
    around = Surroundings(
        capacity=Capacity(alive=1, serving_queue=1, knowing_type=1, able=1, slots=1, running=1, ahead=AHEAD_COUNTED)
    )
    position = explain(a_job(JobStatus.QUEUED), around, NOW).reasons[-1]
    assert "At least 1,000 ready jobs" in position.message
    assert position.data == {"ahead": 1_000, "at_least": True}


counts = st.integers(0, 2_000)
capacities = st.builds(
    Capacity,
    alive=counts,
    serving_queue=counts,
    knowing_type=counts,
    able=counts,
    slots=counts,
    running=counts,
    ahead=counts,
)
errors = st.builds(JobError, reason=st.sampled_from(ErrorReason), type=st.just("E"), message=st.text(max_size=999))
deliveries = st.builds(a_delivery, st.sampled_from(DeliveryStatus), st.none() | st.just("ada@example.com"))


@given(
    st.sampled_from(JobStatus),
    st.builds(
        Surroundings,
        capacity=capacities,
        holder=st.sampled_from([None, HOLDER, LAPSED]),
        deliveries=st.lists(deliveries, max_size=3),
    ),
    st.none() | errors,
    st.timedeltas(-MINUTE, MINUTE),
)
def test_whatever_the_facts_there_is_a_reason_that_can_be_sent(status, around, error, wait):
    explanation = explain(a_job(status, error=error, run_at=NOW + wait), around, NOW)
    assert explanation.summary
    for reason in explanation.reasons:
        assert json.dumps(reason.data)
        assert "ada@" not in reason.message
        assert "\n" not in reason.message
        assert len(reason.message) < MESSAGE_LENGTH + 200


def test_every_code_is_given_somewhere():
    """A code that no facts lead to would be a promise of nothing."""
    assert {code for _, _, codes in CASES for code in codes} == {code.value for code in ReasonCode}
