"""The oracle: what the clients were told against what the database holds. Pure; every figure it gives must be 0.

After Jepsen's total queue, over more than a queue: each committed step of each job is replayed, and must be one that
the holder of the current attempt was entitled to.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from uuid import UUID

from chaos.history import ENDS, Answer, History
from chaos.records import Event, Records, Step, StoredDelivery, StoredJob
from perdure.models.lifecycle import BECOMES_DUE, FINAL, TRANSITIONS

FIGURES = {
    "lost": "accepted jobs that are not stored",
    "duplicated": "second final events of a run, jobs of a submission, deliveries, claims of what is claimed",
    "unexpected": "jobs nobody submitted, ends their plan forbids, mails of no delivery, answers 500",
    "stale": "writes of an attempt that was not the current one",
    "regressions": "steps the table of states does not have, such as out of a final one",
    "gaps": "attempts or fences left out, steps without their event and events without their step",
    "unfinished": "jobs that are not final after the drain",
    "untold": "declared notifications without a delivery that ended, and SENT ones that nobody received",
}
Found = tuple[str, str]
"""A figure's name, and one thing that counts to it."""
_FINAL_EVENTS = frozenset({"SUCCESS", "FAILURE", "CANCELLED"})
_TOLD = {"SUCCEEDED": "SUCCESS", "FAILED": "FAILURE"}
_ENDED = frozenset({"SENT", "FAILED", "SKIPPED"})
_MOVES = {(before.value, after.value): event.value for (before, after), event in TRANSITIONS.items()}
_DUE = frozenset({(status.value, "QUEUED") for status in BECOMES_DUE})


def judge(history: History, records: Records, received: Mapping[str, int]) -> dict[str, list[str]]:
    """What counts to each figure. ``received``: how often the provider got each delivery's mail."""
    found: dict[str, list[str]] = {name: [] for name in FIGURES}
    for name, what in (
        *_of_submissions(history, records.jobs),
        *_of_steps(records),
        *_of_events(records.events),
        *_of_tellings(history, records, received),
    ):
        found[name].append(what)
    return found


def _of_submissions(history: History, jobs: Sequence[StoredJob]) -> Iterator[Found]:
    stored = {job.job_id for job in jobs}
    for one in history.submissions.values():
        if one.answer is Answer.ACCEPTED and one.job_id not in stored:
            yield "lost", f"submission {one.number}, job {one.job_id}"
    for number, count in Counter(job.number for job in jobs).items():
        if count > 1:
            yield "duplicated", f"submission {number} is stored {count} times"
    for job in jobs:
        submission = history.submissions.get(job.number)
        if submission is None or submission.answer is Answer.REFUSED:
            yield "unexpected", f"job {job.job_id} was never submitted"
        elif job.status not in FINAL:
            yield "unfinished", f"job {job.job_id} is {job.status}, attempt {job.attempt}"
        elif job.status not in ENDS[submission.plan]:
            yield "unexpected", f"job {job.job_id}, {submission.plan}, is {job.status} ({job.reason})"
        if job.result_attempt not in (None, job.attempt):
            yield "stale", f"job {job.job_id} holds the result of attempt {job.result_attempt}, not {job.attempt}"
    yield from (("unexpected", answer) for answer in history.broken)


def _of_steps(records: Records) -> Iterator[Found]:
    events = {(one.job_id, one.transaction): one for one in records.events}
    by_job = sorted(records.steps, key=lambda step: (step.job_id, step.step_id))
    for _, steps in groupby(by_job, key=lambda step: step.job_id):
        yield from _of_one_job(list(steps), events)
    recorded = Counter((step.job_id, step.transaction) for step in records.steps)
    for event in records.events:
        if not recorded[event.job_id, event.transaction]:
            yield "gaps", f"job {event.job_id} has an event {event.event} without a step"


def _of_one_job(steps: Sequence[Step], events: Mapping[tuple[UUID, int], Event]) -> Iterator[Found]:
    fence = 0
    for step in steps:
        about = f"job {step.job_id}, fence {step.fence}: {step.status_before} to {step.status}"
        move = (step.status_before or "", step.status)
        if step.status_before is None:
            continue
        reports = move == ("RUNNING", "RUNNING") and step.fence == fence
        if reports and step.progress not in (None, str(step.attempt)):
            yield "stale", f"{about}: progress of attempt {step.progress}, not {step.attempt}"
        if step.status == "RUNNING" and step.fence != fence:
            if step.status_before == "RUNNING":
                yield "duplicated", f"{about}: claimed while claimed"
            if (step.fence, step.attempt) != (fence + 1, (step.attempt_before or 0) + 1):
                yield "gaps", f"{about}: attempt {step.attempt_before} to {step.attempt}, fence {fence}"
            fence = step.fence
        elif step.status != step.status_before and move not in _DUE:
            if move not in _MOVES:
                yield "regressions", about
            else:
                yield from _of_recorded(step, events.get((step.job_id, step.transaction)), about)


def _of_recorded(step: Step, event: Event | None, about: str) -> Iterator[Found]:
    """A recorded step and its event must tell of the same attempt: the one that the row was in."""
    if event is None or event.event != _MOVES[step.status_before or "", step.status]:
        yield "gaps", f"{about}: its event is {None if event is None else event.event}"
        return
    was_under_way = step.status_before == "RUNNING"
    worker_id = None if event.worker_id is None else UUID(event.worker_id)
    ended = (step.started_before, step.worker_before) if was_under_way else (None, None)
    if event.attempt != step.attempt_before or (event.started_at, worker_id) != ended:
        yield "stale", f"{about}: attempt {step.attempt_before} ended by {worker_id} for attempt {event.attempt}"


def _of_events(events: Sequence[Event]) -> Iterator[Found]:
    final = Counter((one.job_id, one.run) for one in events if one.event in _FINAL_EVENTS)
    for (job_id, run), count in final.items():
        if count > 1:
            yield "duplicated", f"job {job_id}, run {run}, has {count} final events"


def _of_tellings(history: History, records: Records, received: Mapping[str, int]) -> Iterator[Found]:
    of_job: dict[UUID, list[StoredDelivery]] = defaultdict(list)
    for delivery in records.deliveries:
        of_job[delivery.job_id].append(delivery)
    for job in records.jobs:
        submission = history.submissions.get(job.number)
        event = _TOLD.get(job.status) if submission is not None and submission.tells else None
        told = of_job[job.job_id]
        if event is not None and [one.event for one in told] != [event]:
            name = "duplicated" if len(told) > 1 else "untold"
            yield name, f"job {job.job_id} is {job.status} and has deliveries {[one.event for one in told]}"
        elif event is None and told:
            yield "unexpected", f"job {job.job_id} is {job.status} and told {[one.event for one in told]}"
    for delivery in records.deliveries:
        if delivery.status not in _ENDED:
            yield "untold", f"delivery {delivery.delivery_id} is {delivery.status}"
        elif delivery.status == "SENT" and not received.get(str(delivery.delivery_id)):
            yield "untold", f"delivery {delivery.delivery_id} is SENT and was not received"
    known = {str(delivery.delivery_id) for delivery in records.deliveries}
    yield from (("unexpected", f"a mail of no delivery, {one}") for one in received if one not in known)
