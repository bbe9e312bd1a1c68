"""The oracle of `make chaos` must see all that it looks for: here each is done to a run in which nothing is wrong."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from chaos.history import Answer, History, Plan, Submission
from chaos.outcome import Outcome, Proof, Verdict
from chaos.records import Event, Records, Step, StoredDelivery, StoredJob

from chaos import oracle

JOB, DELIVERY = UUID(int=1), UUID(int=2)
FIRST, SECOND = UUID(int=11), UUID(int=12)
"""The workers of the first attempt, which is lost, and of the second."""
START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds):
    return START + timedelta(seconds=seconds)


def step(number, before, after, fence, attempts, workers):
    return Step(
        step_id=number,
        at=at(number),
        transaction=number,
        job_id=JOB,
        run=1,
        fence=fence,
        status_before=before,
        attempt_before=None if before is None else attempts[0],
        worker_before=workers[0],
        started_before=at(2) if workers[0] is FIRST else at(5) if workers[0] else None,
        status=after,
        attempt=attempts[1],
        worker_id=workers[1],
    )


@pytest.fixture
def history():
    return History({7: Submission(7, Plan.PLAIN, True, Answer.ACCEPTED, JOB)})


@pytest.fixture
def records():
    """A job whose first attempt was lost and whose second succeeded, and was told."""
    about = {"job_id": JOB, "run": 1}
    return Records(
        steps=[
            step(1, None, "QUEUED", 0, (0, 0), (None, None)),
            step(2, "QUEUED", "RUNNING", 1, (0, 1), (None, FIRST)),
            step(3, "RUNNING", "RETRYING", 1, (1, 1), (FIRST, None)),
            step(4, "RETRYING", "QUEUED", 1, (1, 1), (None, None)),
            step(5, "QUEUED", "RUNNING", 2, (1, 2), (None, SECOND)),
            step(6, "RUNNING", "SUCCEEDED", 2, (2, 2), (SECOND, None)),
        ],
        events=[
            Event(
                **about, attempt=1, event="RETRY", started_at=at(2), transaction=3, worker_id=str(FIRST), reason="lost"
            ),
            Event(**about, attempt=2, event="SUCCESS", started_at=at(5), transaction=6, worker_id=str(SECOND)),
        ],
        jobs=[StoredJob(job_id=JOB, number=7, rank=0, status="SUCCEEDED", run=1, attempt=2, result_attempt=2)],
        deliveries=[
            StoredDelivery(
                **about, delivery_id=DELIVERY, event="SUCCESS", channel="email", recipient="a@b.org", status="SENT"
            )
        ],
    )


def found(history, records, received=None):
    judged = oracle.judge(history, records, {str(DELIVERY): 1} if received is None else received)
    assert judged.keys() == oracle.FIGURES.keys()
    return {name for name, what in judged.items() if what}


def test_nothing_is_found_where_nothing_is_wrong(history, records):
    assert found(history, records) == set()


def test_a_lost_job_is_seen(history, records):
    assert found(history, Records([], [], [], []), {}) == {"lost"}


def test_a_job_of_a_refused_submission_is_seen(history, records):
    history.submissions[7].answer = Answer.REFUSED
    assert "unexpected" in found(history, records)


def test_a_second_job_of_a_submission_is_seen(history, records):
    records.jobs.append(replace(records.jobs[0], job_id=UUID(int=3)))
    assert "duplicated" in found(history, records)


@pytest.mark.parametrize("change", [{"status": "FAILED"}, {"status": "RUNNING"}, {"result_attempt": 1}])
def test_a_wrong_end_is_seen(history, records, change):
    records.jobs[0] = replace(records.jobs[0], **change)
    assert {"FAILED": "unexpected", "RUNNING": "unfinished", None: "stale"}[change.get("status")] in found(
        history, records
    )


def test_a_stale_write_is_seen(history, records):
    """The first worker, whose lease was lost, concludes the second's attempt."""
    records.events[1] = replace(records.events[1], attempt=1, started_at=at(2), worker_id=str(FIRST))
    assert found(history, records) == {"stale"}


def test_a_cancel_between_two_attempts_ends_none(history, records):
    history.submissions[7].plan = Plan.CANCELLED
    records.steps[4:] = [replace(records.steps[4], status="CANCELLED", attempt=1, fence=1, worker_id=None)]
    records.events[1] = replace(records.events[1], attempt=1, event="CANCELLED", started_at=None, transaction=5)
    records.events[1] = replace(records.events[1], worker_id=None)
    records.jobs[0] = replace(records.jobs[0], status="CANCELLED", attempt=1, result_attempt=None)
    assert found(history, replace(records, deliveries=[]), {}) == set()


def test_a_progress_of_an_older_attempt_is_seen(history, records):
    records.steps.insert(5, replace(records.steps[4], step_id=5, status_before="RUNNING", progress="1"))
    assert found(history, records) == {"stale"}


def test_a_second_final_event_is_seen(history, records):
    records.events.append(replace(records.events[1], transaction=7))
    assert found(history, records) == {"duplicated", "gaps"}


def test_a_claim_of_a_claimed_job_is_seen(history, records):
    del records.steps[2:4], records.events[0]
    records.steps[2] = replace(records.steps[2], status_before="RUNNING")
    assert found(history, records) == {"duplicated"}


def test_a_step_out_of_a_final_state_is_seen(history, records):
    last = records.steps[-1]
    records.steps.append(replace(last, step_id=7, transaction=7, status_before="SUCCEEDED", status="FAILED"))
    assert found(history, records) == {"regressions"}


def test_an_attempt_left_out_is_seen(history, records):
    records.steps[4] = replace(records.steps[4], attempt=3)
    assert found(history, records) == {"gaps"}


def test_a_step_without_its_event_is_seen(history, records):
    del records.events[0]
    assert found(history, records) == {"gaps"}


def test_an_event_without_its_step_is_seen(history, records):
    del records.steps[2]
    assert "gaps" in found(history, records)


def test_a_telling_that_is_missing_or_twice_is_seen(history, records):
    twice = replace(records, deliveries=[*records.deliveries, replace(records.deliveries[0], delivery_id=UUID(int=4))])
    assert found(history, twice, {str(DELIVERY): 1, str(UUID(int=4)): 1}) == {"duplicated"}
    assert found(history, replace(records, deliveries=[]), {}) == {"untold"}


def test_a_mail_that_nobody_received_and_one_of_no_delivery_are_seen(history, records):
    assert found(history, records, {}) == {"untold"}
    assert found(history, records, {str(DELIVERY): 2, "another": 1}) == {"unexpected"}


def test_finding_nothing_proves_nothing_when_nothing_happened():
    assert Outcome("any", {"lost": []}, [Proof("kills", 3, 3)]).verdict is Verdict.PASSED
    assert Outcome("any", {"lost": []}, [Proof("kills", 2, 3)]).verdict is Verdict.VACUOUS
    assert Outcome("any", {"lost": ["a job"]}, [Proof("kills", 2, 3)]).verdict is Verdict.FAILED
