"""What would be said, before anybody is told: of a sample job, of a real one, of a delivery. Nothing is sent.

A preview holds no link that would unsubscribe the recipient: whoever looks at it is somebody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.message_templates import Written
from perdure.core.notifications.rendering import MessageRenderer
from perdure.core.notifications.samples import SAMPLE_TYPE, sample
from perdure.core.notifications.snapshot import snapshot_of
from perdure.errors import Conflict
from perdure.models.delivery import Delivery
from perdure.models.job import Job


@dataclass(frozen=True, slots=True)
class MessagePreview:
    """The message of ``event`` of a job of this type. By the settings of the process that writes it."""

    event: JobEvent
    job_type: str
    written: Written


def preview_of_sample(renderer: MessageRenderer, event: JobEvent | None, job_type: str | None) -> MessagePreview:
    """Of a job that never was; of SUCCESS unless another ``event`` is named."""
    event = event or JobEvent.SUCCESS
    return _preview(renderer, event, sample(event, job_type or SAMPLE_TYPE))


def preview_of_job(renderer: MessageRenderer, job: Job, event: JobEvent | None) -> MessagePreview:
    """Of the job as it stands; raises ``Conflict`` for one that has not ended, unless an ``event`` is named."""
    event = event or JobEvent.of(job.status)
    if event is None:
        raise Conflict(f"The job is {job.status}, and nobody is told before it ends. Name an event, or wait.")
    return _preview(renderer, event, snapshot_of(job))


def preview_of_delivery(renderer: MessageRenderer, delivery: Delivery) -> MessagePreview:
    """Of what the delivery tells: its job as the event found it."""
    return _preview(renderer, JobEvent(delivery.event), delivery.snapshot, delivery.subscription)


def _preview(
    renderer: MessageRenderer, event: JobEvent, snapshot: Mapping[str, Any], subscription: str | None = None
) -> MessagePreview:
    return MessagePreview(event, snapshot["job_type"], renderer.write(event, snapshot, subscription))
