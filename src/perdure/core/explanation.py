"""Decides why a job stands where it stands, from the job and the facts around it. Pure: the facts were read before.

Each state has its own question: when is it due, who could take it, who holds it, how did it end and who was told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, assert_never

from perdure.models.delivery import Delivery, DeliveryStatus
from perdure.models.explanation import AHEAD_COUNTED, Capacity, Explanation, Holder, Reason, ReasonCode, Surroundings
from perdure.models.job import Job
from perdure.models.lifecycle import JobStatus
from perdure.models.outcome import JobError
from perdure.schemas.addresses import mask

MESSAGE_LENGTH = 200
"""Characters of an error's message that an explanation repeats."""


def explain(job: Job, around: Surroundings, now: datetime) -> Explanation:
    """Every reason there is, the decisive one first."""
    return Explanation(job.job_id, job.status, _reasons(job, around, now))


def _reasons(job: Job, around: Surroundings, now: datetime) -> list[Reason]:
    match job.status:
        case JobStatus.SCHEDULED | JobStatus.RETRYING:
            return _until_due(job, now)
        case JobStatus.QUEUED:
            return _until_claimed(job, around.capacity)
        case JobStatus.RUNNING:
            return _while_running(job, around.holder)
        case JobStatus.SUCCEEDED | JobStatus.FAILED | JobStatus.CANCELLED:
            return [_ending(job), *_tellings(job, around.deliveries)]
        case _:  # pragma: no cover
            assert_never(job.status)


def _until_due(job: Job, now: datetime) -> list[Reason]:
    data = {"run_at": job.run_at.isoformat()}
    reasons = []
    if job.run_at <= now:
        message = f"It is due since {_at(job.run_at)}; a promoter makes it ready within seconds, where one runs."
        reasons.append(Reason(ReasonCode.DUE, message, data))
    if job.status is JobStatus.SCHEDULED:
        reasons.append(Reason(ReasonCode.SCHEDULED, f"It is scheduled for {_at(job.run_at)}.", data))
    else:
        message = f"It waits until {_at(job.run_at)}: {_attempt(job)} ended{_error(job.error)}."
        reasons.append(Reason(ReasonCode.BACKING_OFF, message, data | _attempt_data(job)))
    return reasons


def _until_claimed(job: Job, capacity: Capacity) -> list[Reason]:
    if capacity.alive == 0:
        return [Reason(ReasonCode.NO_WORKER, "No worker is alive. Start one: perdure worker")]
    if capacity.serving_queue == 0:
        message = (
            f"None of the live workers ({capacity.alive}) serves the queue {job.queue}. "
            f"Start one that does: perdure worker --queues {job.queue}"
        )
        return [Reason(ReasonCode.NO_WORKER_FOR_QUEUE, message, {"queue": job.queue, "alive": capacity.alive})]
    if capacity.knowing_type == 0:
        message = (
            f"None of the live workers that serve the queue {job.queue} ({capacity.serving_queue}) knows the job type "
            f"{job.job_type}. Start one that does; PERDURE_PROCESSORS names the modules it imports."
        )
        data = {"job_type": job.job_type, "queue": job.queue, "serving_queue": capacity.serving_queue}
        return [Reason(ReasonCode.NO_WORKER_FOR_TYPE, message, data)]
    if capacity.able == 0:
        message = (
            f"It names a file, and none of the live workers that know its type ({capacity.knowing_type}) sees the file "
            "store. On their machine, perdure doctor says what to mend."
        )
        return [Reason(ReasonCode.NO_WORKER_FOR_FILES, message, {"knowing_type": capacity.knowing_type})]
    return [_slots(capacity), _position(capacity.ahead)]


def _slots(capacity: Capacity) -> Reason:
    data = {"workers": capacity.able, "slots": capacity.slots, "running": capacity.running}
    if capacity.running >= capacity.slots:
        message = f"The live workers that can run it ({capacity.able}) are busy: {capacity.running} attempts run."
        return Reason(ReasonCode.WORKERS_BUSY, message, data)
    free = capacity.slots - capacity.running
    return Reason(ReasonCode.READY, f"It is ready, and {free} of {capacity.slots} slots for it are free.", data)


def _position(ahead: int) -> Reason:
    at_least = ahead >= AHEAD_COUNTED
    message = f"{'At least ' if at_least else ''}{ahead:,} ready jobs of its queue are ahead of it."
    return Reason(ReasonCode.POSITION, message, {"ahead": ahead, "at_least": at_least})


def _while_running(job: Job, holder: Holder | None) -> list[Reason]:
    reasons = [_holding(job, holder)]
    if job.cancel_requested_at is not None:
        message = f"It was asked to stop at {_at(job.cancel_requested_at)}, and is cancelled once its processor does."
        data = {"cancel_requested_at": job.cancel_requested_at.isoformat()}
        reasons.append(Reason(ReasonCode.CANCEL_REQUESTED, message, data))
    if job.progress is not None:
        said = f": {job.progress['message']}" if job.progress["message"] else "."
        reasons.append(Reason(ReasonCode.PROGRESS, f"It is at {job.progress['percent']:g} %{said}", job.progress))
    return reasons


def _holding(job: Job, holder: Holder | None) -> Reason:
    data = _attempt_data(job) | {"worker_id": str(job.worker_id)}
    if holder is None or not holder.alive or job.started_at is None:
        message = f"The worker of {_attempt(job)} is gone; a sweeper gives the job on within seconds, where one runs."
        return Reason(ReasonCode.LEASE_LAPSED, message, data)
    message = (
        f"Since {_at(job.started_at)}, {_attempt(job)} runs on {holder.hostname} (process {holder.process_id}), whose "
        f"lease holds until {_at(holder.lease_until)} and is renewed while it lives."
    )
    data |= {
        "hostname": holder.hostname,
        "process_id": holder.process_id,
        "started_at": job.started_at.isoformat(),
        "times_out_at": (job.started_at + timedelta(seconds=job.timeout_seconds)).isoformat(),
        "lease_until": holder.lease_until.isoformat(),
    }
    return Reason(ReasonCode.RUNNING, message, data)


def _ending(job: Job) -> Reason:
    data = _attempt_data(job) | {"finished_at": None if job.finished_at is None else job.finished_at.isoformat()}
    at = _at(job.finished_at)
    if job.status is JobStatus.CANCELLED:
        return Reason(ReasonCode.CANCELLED, f"It was cancelled at {at}.", data)
    if job.status is JobStatus.SUCCEEDED:
        return Reason(ReasonCode.SUCCEEDED, f"It succeeded at {at}, with {_attempt(job)}.", data)
    return Reason(ReasonCode.FAILED, f"It failed at {at}: {_attempt(job)} ended{_error(job.error)}.", data)


def _tellings(job: Job, deliveries: Sequence[Delivery]) -> list[Reason]:
    if not deliveries:
        why = "declares no notifications" if not job.notifications else "declares no notification of this end"
        return [Reason(ReasonCode.NOBODY_TO_TELL, f"Nobody is told: it {why}.")]
    return [_telling(one) for one in deliveries]


def _telling(delivery: Delivery) -> Reason:
    whom = "Nobody" if delivery.recipient is None else mask(delivery.recipient)
    by = f"by {delivery.channel}"
    data = {"delivery_id": str(delivery.delivery_id), "channel": delivery.channel, "status": delivery.status.value}
    match delivery.status:
        case DeliveryStatus.SENT:
            return Reason(ReasonCode.TOLD, f"{whom} was told {by} at {_at(delivery.finished_at)}.", data)
        case DeliveryStatus.PENDING | DeliveryStatus.SENDING:
            return Reason(ReasonCode.BEING_TOLD, f"{whom} is being told {by}.", data)
        case DeliveryStatus.RETRYING:
            message = f"{whom} is being told {by}: {delivery.attempts} tries failed, the next is due at "
            return Reason(ReasonCode.BEING_TOLD, f"{message}{_at(delivery.next_attempt_at)}.", data)
        case DeliveryStatus.FAILED | DeliveryStatus.SKIPPED:
            told = "was told" if delivery.recipient is None else "was not told"
            message = f"{whom} {told} {by} ({delivery.reason})."
            return Reason(ReasonCode.NOT_TOLD, message, data | {"reason": delivery.reason})
        case _:  # pragma: no cover
            assert_never(delivery.status)


def _attempt(job: Job) -> str:
    return f"attempt {job.attempt} of {job.max_attempts}"


def _attempt_data(job: Job) -> dict[str, Any]:
    error = None if job.error is None else {"reason": job.error.reason.value, "type": job.error.type}
    return {"run": job.run, "attempt": job.attempt, "max_attempts": job.max_attempts, "error": error}


def _error(error: JobError | None) -> str:
    """`` with ValueError: no``, of the message's first line as much as a sentence bears."""
    if error is None:
        return ""
    line = error.message.partition("\n")[0][:MESSAGE_LENGTH].rstrip(".")
    return (
        f" with {error.type}: {line} ({error.reason.value})" if line else f" with {error.type} ({error.reason.value})"
    )


def _at(moment: datetime | None) -> str:
    return "an unknown time" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
