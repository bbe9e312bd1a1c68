"""Why a job waits, and for how long: until it is due, until somebody can take it, until its turn comes."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

from perdure.core.explanation_wording import attempt_data, attempt_of, error_of
from perdure.models.explanation import AHEAD_COUNTED, Capacity, ReachedLimit, Reason, ReasonCode, Surroundings
from perdure.models.job import Job
from perdure.models.lifecycle import JobStatus
from perdure.models.queue import PausedQueue
from perdure.models.wording import duration, first_line, moment

EXPIRES_SOON = timedelta(hours=1)
HOLDERS_TOLD = 3
"""So many of the jobs that hold a limit's slots stand in its sentence."""


def until_due(job: Job, around: Surroundings, now: datetime) -> list[Reason]:
    """Of a job that waits for its time."""
    data = {"run_at": job.run_at.isoformat()}
    reasons = []
    if job.run_at <= now:
        message = f"It is due since {moment(job.run_at)}; a promoter makes it ready within seconds, where one runs."
        reasons.append(Reason(ReasonCode.DUE, message, data))
    if job.status is JobStatus.SCHEDULED:
        reasons.append(Reason(ReasonCode.SCHEDULED, f"It is scheduled for {moment(job.run_at)}.", data))
    else:
        message = (
            f"It waits until {moment(job.run_at)}: {attempt_of(job)} ended{error_of(job.error, with_reason=False)}."
        )
        reasons.append(Reason(ReasonCode.BACKING_OFF, message, data | attempt_data(job)))
    return [*reasons, *_paused(around.paused), *_expiry(job, None, now)]


def until_claimed(job: Job, around: Surroundings, now: datetime) -> list[Reason]:
    """Of a job that is ready."""
    held_up = [*_paused(around.paused), *_nobody(job, around.capacity), *(_limit(job, one) for one in around.limits)]
    if around.capacity.able == 0:
        return [*held_up, *_expiry(job, None, now)]
    wait = None if held_up else _seconds_until_start(around)
    return [*held_up, _slots(around.capacity), _position(job, around.capacity.ahead, wait), *_expiry(job, wait, now)]


def _paused(paused: PausedQueue | None) -> list[Reason]:
    if paused is None:
        return []
    why = "" if paused.pause_reason is None else f": {first_line(paused.pause_reason)}"
    message = (
        f"Its queue {paused.name} is paused, by {paused.paused_by} at {moment(paused.paused_at)}{why}. "
        f"Resume it: perdure queues resume {paused.name}"
    )
    data = asdict(paused) | {"paused_at": paused.paused_at.isoformat()}
    return [Reason(ReasonCode.QUEUE_PAUSED, message, data)]


def _nobody(job: Job, capacity: Capacity) -> list[Reason]:
    """What is missing where no live worker can take it."""
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
    return []


def _limit(job: Job, limit: ReachedLimit) -> Reason:
    whose = (
        f"its concurrency_key {first_line(job.concurrency_key or '')}"
        if limit.limit_of == "concurrency_key"
        else f"its type {job.job_type}"
    )
    held_by = [str(job_id) for job_id in limit.held_by]
    more = limit.running - len(held_by[:HOLDERS_TOLD])
    told = ", ".join(held_by[:HOLDERS_TOLD]) + (f" and {more} more" if more > 0 else "")
    message = f"As many jobs of {whose} run as may at a time ({limit.allowed}): {told}. It starts after one of them."
    data = {"limit_of": limit.limit_of, "allowed": limit.allowed, "running": limit.running, "held_by": held_by}
    return Reason(ReasonCode.LIMIT_REACHED, message, data)


def _slots(capacity: Capacity) -> Reason:
    data = {"workers": capacity.able, "slots": capacity.slots, "running": capacity.running}
    if capacity.running >= capacity.slots:
        message = f"The live workers that can run it ({capacity.able}) are busy: {capacity.running} attempts run."
        return Reason(ReasonCode.WORKERS_BUSY, message, data)
    message = f"It is ready, and {capacity.free} of {capacity.slots} slots for it are free."
    return Reason(ReasonCode.READY, message, data)


def _seconds_until_start(around: Surroundings) -> float | None:
    if around.capacity.ahead < around.capacity.free:
        return 0.0
    return None if around.attempt_seconds is None else around.capacity.seconds_until_start(around.attempt_seconds)


def _position(job: Job, ahead: int, wait_seconds: float | None) -> Reason:
    at_least = ahead >= AHEAD_COUNTED
    number = f"{'At least ' if at_least else ''}{ahead:,}" if ahead else "No"
    jobs = f"{number} ready {'job' if ahead <= 1 else 'jobs'} {'under its limit' if job.is_limited else 'of its queue'}"
    message = f"{jobs} {'is' if ahead <= 1 else 'are'} ahead of it"
    if wait_seconds is not None:
        message += f"; it starts in {'at least ' if at_least else ''}about {duration(wait_seconds)}"
    seconds = None if wait_seconds is None else round(wait_seconds, 1)
    return Reason(
        ReasonCode.POSITION, f"{message}.", {"ahead": ahead, "at_least": at_least, "starts_in_seconds": seconds}
    )


def _expiry(job: Job, wait_seconds: float | None, now: datetime) -> list[Reason]:
    """Said where it may matter: it expires soon, or before it is likely to start. ``wait_seconds``: None, not known."""
    if job.expires_at is None:
        return []
    starts_at = max(job.run_at, now) + timedelta(seconds=wait_seconds or 0.0)
    is_late = starts_at >= job.expires_at
    if not is_late and job.expires_at - now > EXPIRES_SOON:
        return []
    message = f"It expires at {moment(job.expires_at)}: not begun by then, it fails"
    if job.expires_at <= now:
        message = f"It expired at {moment(job.expires_at)}, and fails within seconds, where a server or worker runs"
    elif is_late:
        message += ", and that is likely"
    data = {"expires_at": job.expires_at.isoformat(), "is_likely": is_late}
    return [Reason(ReasonCode.EXPIRES, f"{message}.", data)]
