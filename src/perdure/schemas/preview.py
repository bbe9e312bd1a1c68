"""What a dry run answers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import Field

from perdure.models.delivery import DeliveryStatus
from perdure.models.lifecycle import JobStatus
from perdure.schemas.base import Answer, Moment
from perdure.schemas.explanation import ReasonAnswer
from perdure.schemas.job import RetryAnswer
from perdure.schemas.recipients import Shown


class DeclaredJob(Answer):
    """The job as it would be stored: what was sent, and for the rest what its type and the platform say."""

    job_type: str
    payload: Any
    queue: str
    priority: int
    status: JobStatus = Field(description="QUEUED, or SCHEDULED when it is put off")
    run_at: Moment
    expires_at: Moment | None
    max_attempts: int = Field(description="max_retries + 1")
    timeout_seconds: float
    retry: RetryAnswer
    unique_key: str | None
    concurrency_key: str | None
    tags: list[str]
    context: dict[str, Any] | None = Field(description="as sent")
    notifications: dict[str, Any] | None = Field(description="as sent")


class PlannedRetry(Answer):
    """When one further attempt would begin, if each before it failed as it began."""

    attempt: int
    delay_seconds: float = Field(description="its wait after the failed one, before the jitter of ±20 %")
    earliest_at: Moment
    latest_at: Moment


class PlannedDelivery(Answer):
    """Who would be told of one event, or why nobody."""

    event: str
    channel: str
    provider: str
    recipient: Shown = Field(description="masked; null when it is skipped")
    status: DeliveryStatus = Field(description="PENDING, or SKIPPED")
    reason: str | None = Field(description="why it is skipped")
    subscription: str | None = Field(description="the subscription that asks for it; null: the job itself does")


class PreviewAnswer(Answer):
    """What a submission would come to. Nothing was stored."""

    job: DeclaredJob
    retries: list[PlannedRetry] = Field(description="the first 20 at most")
    deliveries: list[PlannedDelivery] = Field(description="of each event that it could end with")
    has_worker: bool = Field(description="a live worker serves its queue and knows its type")
    reasons: list[ReasonAnswer] = Field(description="what it would wait for once it is due, the decisive one first")
    unique_holder: UUID | None = Field(description="the live job that has its unique_key: it would be refused (409)")
