"""Decides why a job stands where it stands, from the job and the facts around it. Pure: the facts were read before.

Each state has its own question: when is it due, who could take it, who holds it, how did it end and who was told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import assert_never

from perdure.core.explanation_waiting import until_claimed, until_due
from perdure.core.explanation_wording import attempt_data, attempt_of, error_of
from perdure.models.delivery import DeliveryStatus
from perdure.models.delivery_explanation import DeliveryOnRecord, explained
from perdure.models.explanation import Explanation, Holder, Reason, ReasonCode, Surroundings
from perdure.models.job import Job
from perdure.models.lifecycle import JobStatus
from perdure.models.outcome import ErrorReason
from perdure.models.wording import duration, moment
from perdure.schemas.recipients import shown

_CODES = {
    DeliveryStatus.PENDING: ReasonCode.BEING_TOLD,
    DeliveryStatus.SENDING: ReasonCode.BEING_TOLD,
    DeliveryStatus.RETRYING: ReasonCode.BEING_TOLD,
    DeliveryStatus.SENT: ReasonCode.TOLD,
    DeliveryStatus.DELIVERED: ReasonCode.TOLD,
    DeliveryStatus.BOUNCED: ReasonCode.NOT_TOLD,
    DeliveryStatus.FAILED: ReasonCode.NOT_TOLD,
    DeliveryStatus.SKIPPED: ReasonCode.NOT_TOLD,
    DeliveryStatus.SUPPRESSED: ReasonCode.NOT_TOLD,
    DeliveryStatus.CANCELLED: ReasonCode.NOT_TOLD,
}


def explain(job: Job, around: Surroundings, now: datetime) -> Explanation:
    """Every reason there is, the decisive one first."""
    return Explanation(job.job_id, job.status, _reasons(job, around, now))


def _reasons(job: Job, around: Surroundings, now: datetime) -> list[Reason]:
    match job.status:
        case JobStatus.SCHEDULED | JobStatus.RETRYING:
            return until_due(job, around, now)
        case JobStatus.QUEUED:
            return until_claimed(job, around, now)
        case JobStatus.RUNNING:
            return _while_running(job, around.holder, now)
        case JobStatus.SUCCEEDED | JobStatus.FAILED | JobStatus.CANCELLED:
            return [_ending(job), *_tellings(job, around.deliveries)]
        case _:  # pragma: no cover
            assert_never(job.status)


def _while_running(job: Job, holder: Holder | None, now: datetime) -> list[Reason]:
    reasons = [_holding(job, holder)]
    if reasons[0].code is ReasonCode.RUNNING and job.started_at is not None:
        reasons.append(_time_out(job, job.started_at + timedelta(seconds=job.timeout_seconds), now))
    if job.cancel_requested_at is not None:
        message = (
            f"It was asked to stop at {moment(job.cancel_requested_at)}, and is cancelled once its processor does."
        )
        data = {"cancel_requested_at": job.cancel_requested_at.isoformat()}
        reasons.append(Reason(ReasonCode.CANCEL_REQUESTED, message, data))
    if job.progress is not None:
        said = f": {job.progress['message']}" if job.progress["message"] else "."
        reasons.append(Reason(ReasonCode.PROGRESS, f"It is at {job.progress['percent']:g} %{said}", job.progress))
    return reasons


def _time_out(job: Job, ends_at: datetime, now: datetime) -> Reason:
    data = {"times_out_at": ends_at.isoformat(), "timeout_seconds": job.timeout_seconds}
    if ends_at > now:
        left = duration((ends_at - now).total_seconds())
        message = f"The attempt may take until {moment(ends_at)}, about {left} from now; then it is ended."
    else:
        message = f"The attempt was to be ended at {moment(ends_at)}; a worker that fails to is killed within seconds."
    return Reason(ReasonCode.TIMES_OUT, message, data)


def _holding(job: Job, holder: Holder | None) -> Reason:
    data = attempt_data(job) | {"worker_id": str(job.worker_id)}
    if holder is None or not holder.alive or job.started_at is None:
        message = f"The worker of {attempt_of(job)} is gone; a sweeper gives the job on within seconds, where one runs."
        return Reason(ReasonCode.LEASE_LAPSED, message, data)
    message = (
        f"Since {moment(job.started_at)}, {attempt_of(job)} runs on {holder.hostname} (process {holder.process_id}), "
        f"whose lease holds until {moment(holder.lease_until)} and is renewed while it lives."
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
    data = attempt_data(job) | {"finished_at": None if job.finished_at is None else job.finished_at.isoformat()}
    at = moment(job.finished_at)
    if job.status is JobStatus.CANCELLED:
        return Reason(ReasonCode.CANCELLED, f"It was cancelled at {at}.", data)
    if job.status is JobStatus.SUCCEEDED:
        return Reason(ReasonCode.SUCCEEDED, f"It succeeded at {at}, with {attempt_of(job)}.", data)
    if job.error is not None and job.error.reason is ErrorReason.EXPIRED:
        message = f"It failed at {at}: it still waited at {moment(job.expires_at)}, when it expired."
        return Reason(ReasonCode.FAILED, message, data)
    return Reason(ReasonCode.FAILED, f"It failed at {at}: {attempt_of(job)} ended{error_of(job.error)}.", data)


def _tellings(job: Job, deliveries: Sequence[DeliveryOnRecord]) -> list[Reason]:
    if not deliveries:
        why = "declares no notifications" if not job.notifications else "declares no notification of this end"
        return [Reason(ReasonCode.NOBODY_TO_TELL, f"Nobody is told: it {why}.")]
    return [_telling(one) for one in deliveries]


def _telling(delivery: DeliveryOnRecord) -> Reason:
    whom = "nobody" if delivery.recipient is None else shown(delivery.channel, delivery.recipient)
    data = {"delivery_id": str(delivery.delivery_id), "channel": delivery.channel, "status": delivery.status.value}
    if delivery.reason is not None:
        data["reason"] = delivery.reason
    asked = "" if delivery.subscription is None else f", for the subscription {delivery.subscription}"
    again = "" if delivery.resend_of is None else ", again"
    message = f"By {delivery.channel} to {whom}{again}{asked}: {delivery.status}. {explained(delivery)}"
    return Reason(_CODES[delivery.status], message, data)
