"""Reasons, from facts alone: there is always one, the decisive one comes first, and no address is among them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.core.explanation import explain
from perdure.models.delivery import DeliveryStatus
from perdure.models.delivery_explanation import DeliveryOnRecord
from perdure.models.explanation import AHEAD_COUNTED, Capacity, Holder, ReachedLimit, ReasonCode, Surroundings
from perdure.models.job import Job
from perdure.models.lifecycle import FINAL, JobStatus
from perdure.models.outcome import ErrorReason, JobError
from perdure.models.queue import PausedQueue
from perdure.models.retry import RetryPolicy
from perdure.models.wording import MESSAGE_LENGTH

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


def test_what_expired_is_not_said_to_have_ended_an_attempt():
    error = JobError(ErrorReason.EXPIRED, "Expired", "it was too late")
    expired = a_job(JobStatus.FAILED, attempt=0, started_at=None, expires_at=NOW, error=error)
    summary = explain(expired, Surroundings(), NOW).summary
    assert (
        summary == "It failed at 2030-01-01 12:00:00 UTC: it still waited at 2030-01-01 12:00:00 UTC, when it expired."
    )


def a_delivery(status: DeliveryStatus, recipient: str | None = "ada@example.com") -> DeliveryOnRecord:
    return DeliveryOnRecord(
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
PAUSED = PausedQueue("reports", NOW, "ada", "the printer burns\nsend water")
KEY = ReachedLimit(limit_of="concurrency_key", allowed=1, running=1, held_by=[UUID(int=4)])
TYPE = ReachedLimit(limit_of="job_type", allowed=12, running=12, held_by=[UUID(int=number) for number in range(10)])
FULL = Capacity(alive=1, serving_queue=1, knowing_type=1, able=1, slots=4, running=4, ahead=7)
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
    (a_job(JobStatus.QUEUED), Surroundings(paused=PAUSED), ["queue_paused", "no_worker"]),
    (
        a_job(JobStatus.QUEUED, concurrency_key="printer"),
        Surroundings(paused=PAUSED, limits=[KEY, TYPE], capacity=ABLE),
        ["queue_paused", "limit_reached", "limit_reached", "ready", "position"],
    ),
    (a_job(JobStatus.SCHEDULED, run_at=NOW + MINUTE), Surroundings(paused=PAUSED), ["scheduled", "queue_paused"]),
    (
        a_job(JobStatus.RETRYING, run_at=NOW + MINUTE, expires_at=NOW + MINUTE),
        Surroundings(),
        ["backing_off", "expires"],
    ),
    (a_job(JobStatus.QUEUED, expires_at=NOW + 90 * MINUTE), Surroundings(capacity=ABLE), ["ready", "position"]),
    (
        a_job(JobStatus.QUEUED, expires_at=NOW + 90 * MINUTE),
        Surroundings(capacity=FULL, attempt_seconds=3600.0),
        ["workers_busy", "position", "expires"],
    ),
    (a_job(JobStatus.RUNNING), Surroundings(holder=HOLDER), ["running", "times_out"]),
    (a_job(JobStatus.RUNNING), Surroundings(holder=LAPSED), ["lease_lapsed"]),
    (a_job(JobStatus.RUNNING), Surroundings(), ["lease_lapsed"]),
    (
        a_job(JobStatus.RUNNING, cancel_requested_at=NOW, progress={"percent": 40.0, "message": None}),
        Surroundings(holder=HOLDER),
        ["running", "times_out", "cancel_requested", "progress"],
    ),
    (a_job(JobStatus.SUCCEEDED), Surroundings(), ["succeeded", "nobody_to_tell"]),
    (a_job(JobStatus.FAILED, error=ERROR), Surroundings(), ["failed", "nobody_to_tell"]),
    (a_job(JobStatus.CANCELLED), Surroundings(), ["cancelled", "nobody_to_tell"]),
    (
        a_job(JobStatus.SUCCEEDED),
        Surroundings(deliveries=[a_delivery(status) for status in DeliveryStatus]),
        ["succeeded", *["being_told"] * 3, *["told"] * 2, *["not_told"] * 5],
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
            "It waits until 2030-01-01 12:01:00 UTC: attempt 2 of 4 ended with ValueError: no such month.",
        ),
        (a_job(JobStatus.QUEUED), Surroundings(capacity=Capacity(alive=1)), "perdure worker --queues reports"),
        (a_job(JobStatus.QUEUED), Surroundings(capacity=ABLE), "6 of 10 slots for it are free"),
        (
            a_job(JobStatus.QUEUED),
            Surroundings(paused=PAUSED, capacity=ABLE),
            "paused, by ada at 2030-01-01 12:00:00 UTC: the printer burns. Resume it: perdure queues resume reports",
        ),
        (
            a_job(JobStatus.QUEUED, concurrency_key="printer"),
            Surroundings(limits=[KEY], capacity=ABLE),
            f"its concurrency_key printer run as may at a time (1): {UUID(int=4)}. It starts after one of them.",
        ),
        (
            a_job(JobStatus.QUEUED),
            Surroundings(limits=[TYPE], capacity=ABLE),
            f"its type report.build run as may at a time (12): {UUID(int=0)}, {UUID(int=1)}, {UUID(int=2)} and 9 more.",
        ),
        (a_job(JobStatus.RUNNING), Surroundings(holder=HOLDER), "on host (process 7)"),
    ],
)
def test_the_summary_is_the_decisive_sentence(job, around, said):
    assert said in explain(job, around, NOW).summary


def test_who_was_told_again_and_for_whom_is_said():
    told = [
        a_delivery(DeliveryStatus.SENT),
        replace(a_delivery(DeliveryStatus.SENT), resend_of=UUID(int=4)),
        replace(a_delivery(DeliveryStatus.SENT), subscription="ops"),
    ]
    _, *reasons = explain(a_job(JobStatus.SUCCEEDED), Surroundings(deliveries=told), NOW).reasons
    assert [one.message.partition(": SENT. ")[0] for one in reasons] == [
        "By email to a***@e***.com",
        "By email to a***@e***.com, again",
        "By email to a***@e***.com, for the subscription ops",
    ]


def test_a_long_queue_is_counted_no_further_than_it_was_read():
    around = Surroundings(
        capacity=Capacity(alive=1, serving_queue=1, knowing_type=1, able=1, slots=1, running=1, ahead=AHEAD_COUNTED)
    )
    position = explain(a_job(JobStatus.QUEUED), around, NOW).reasons[-1]
    assert "At least 1,000 ready jobs" in position.message
    assert position.data == {"ahead": 1_000, "at_least": True, "starts_in_seconds": None}


@pytest.mark.parametrize(
    ("capacity", "attempt_seconds", "seconds", "said"),
    [
        (ABLE, None, 0.0, "starts in about 1 s"),
        (FULL, None, None, "7 ready jobs of its queue are ahead of it."),
        (replace(FULL, ahead=1), None, None, "1 ready job of its queue is ahead of it."),
        (FULL, 15.0, 30.0, "starts in about 30 s"),
        (FULL, 300.0, 600.0, "starts in about 10 min"),
        (replace(FULL, running=2), 300.0, 450.0, "starts in about 8 min"),
        (replace(FULL, ahead=AHEAD_COUNTED), 60.0, 15_015.0, "starts in at least about 4 h"),
    ],
)
def test_a_position_tells_about_how_long_it_waits_where_that_is_known(capacity, attempt_seconds, seconds, said):
    around = Surroundings(capacity=capacity, attempt_seconds=attempt_seconds)
    position = explain(a_job(JobStatus.QUEUED), around, NOW).reasons[1]
    assert position.data["starts_in_seconds"] == seconds
    assert said in position.message


def test_ahead_of_a_job_under_a_limit_are_those_that_wait_for_the_same_slots():
    job = a_job(JobStatus.QUEUED, concurrency_key="printer", is_limited=True)
    position = explain(job, Surroundings(limits=[KEY], capacity=replace(ABLE, ahead=0)), NOW).reasons[-1]
    assert position.message == "No ready job under its limit is ahead of it."


def test_nobody_can_tell_how_long_a_pause_or_a_limit_lasts():
    for around in (Surroundings(capacity=ABLE, paused=PAUSED), Surroundings(capacity=ABLE, limits=[KEY])):
        position = explain(a_job(JobStatus.QUEUED), around, NOW).reasons[-1]
        assert (position.code, position.data["starts_in_seconds"]) == (ReasonCode.POSITION, None)


@pytest.mark.parametrize(
    ("expires_at", "said"),
    [
        (NOW + MINUTE, "It expires at 2030-01-01 12:01:00 UTC: not begun by then, it fails."),
        (NOW - MINUTE, "It expired at 2030-01-01 11:59:00 UTC, and fails within seconds"),
    ],
)
def test_an_end_that_comes_soon_is_told(expires_at, said):
    reasons = explain(a_job(JobStatus.QUEUED, expires_at=expires_at), Surroundings(capacity=ABLE), NOW).reasons
    assert said in reasons[-1].message


def test_a_time_out_that_is_over_is_told_as_such():
    reasons = explain(a_job(JobStatus.RUNNING, started_at=NOW - 2 * MINUTE), Surroundings(holder=HOLDER), NOW).reasons
    assert "was to be ended at 2030-01-01 11:59:00 UTC" in reasons[1].message


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
limits = st.builds(
    ReachedLimit,
    limit_of=st.sampled_from(["concurrency_key", "job_type"]),
    allowed=counts,
    running=counts,
    held_by=st.lists(st.uuids(), max_size=10),
)
errors = st.builds(JobError, reason=st.sampled_from(ErrorReason), type=st.just("E"), message=st.text(max_size=999))
deliveries = st.builds(a_delivery, st.sampled_from(DeliveryStatus), st.none() | st.just("ada@example.com"))


@given(
    st.sampled_from(JobStatus),
    st.builds(
        Surroundings,
        paused=st.none() | st.builds(PausedQueue, st.just("q"), st.just(NOW), st.just("ada"), st.none() | st.text()),
        limits=st.lists(limits, max_size=2),
        capacity=capacities,
        attempt_seconds=st.none() | st.floats(0, 31_622_400),
        holder=st.sampled_from([None, HOLDER, LAPSED]),
        deliveries=st.lists(deliveries, max_size=3),
    ),
    st.none() | errors,
    st.timedeltas(-MINUTE, MINUTE),
    st.none() | st.timedeltas(-MINUTE, 90 * MINUTE),
)
def test_whatever_the_facts_there_is_a_reason_that_can_be_sent(status, around, error, wait, left):
    expires_at = None if left is None else NOW + left
    explanation = explain(a_job(status, error=error, run_at=NOW + wait, expires_at=expires_at), around, NOW)
    assert explanation.summary
    for reason in explanation.reasons:
        assert json.dumps(reason.data)
        assert "ada@" not in reason.message
        assert "\n" not in reason.message
        assert len(reason.message) < MESSAGE_LENGTH + 200


def test_every_code_is_given_somewhere():
    """A code that no facts lead to would be a promise of nothing."""
    assert {code for _, _, codes in CASES for code in codes} == {code.value for code in ReasonCode}
