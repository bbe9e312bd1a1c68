"""What a server answers to a dry run, as types like those of ``answers``."""

from __future__ import annotations

from typing import Any, TypedDict

from perdure.client.answers import Reason


class DeclaredJob(TypedDict):
    """A job as it would be stored."""

    job_type: str
    payload: Any
    queue: str
    priority: int
    status: str
    run_at: str
    expires_at: str | None
    max_attempts: int
    timeout_seconds: float
    unique_key: str | None
    concurrency_key: str | None
    tags: list[str]
    context: dict[str, Any] | None
    notifications: dict[str, Any] | None


class PlannedRetry(TypedDict):
    """When an attempt would begin, if each before it failed as it began; the wait is that before jitter."""

    attempt: int
    delay_seconds: float
    earliest_at: str
    latest_at: str


class PlannedDelivery(TypedDict):
    """Who (masked) would be told of one event, or why nobody."""

    event: str
    channel: str
    provider: str
    recipient: str | None
    status: str
    reason: str | None
    subscription: str | None


class Preview(TypedDict):
    """What a submission would come to; ``reasons`` is what it would wait for once due."""

    job: DeclaredJob
    retries: list[PlannedRetry]
    deliveries: list[PlannedDelivery]
    has_worker: bool
    reasons: list[Reason]
    unique_holder: str | None
