"""What a server answers about itself: queues, workers, job types and numbers, as types like those of ``answers``."""

from __future__ import annotations

from typing import Any, TypedDict

from perdure.client.answers import Page


class Health(TypedDict):
    status: str


class QueuePause(TypedDict):
    """Who paused a queue, when and why; all None when nobody did."""

    name: str
    paused_at: str | None
    paused_by: str | None
    pause_reason: str | None


class Queue(QueuePause):
    """A queue: what waits and runs in it, how many live workers serve it, and whether somebody paused it."""

    queued: int
    scheduled: int
    retrying: int
    running: int
    oldest_waiting_seconds: float | None
    workers: int


class Queues(Page[Queue]):
    """All queues there are; a count that reaches ``count_limit`` means so many or more."""

    measured_at: str
    count_limit: int


class JobType(TypedDict):
    """What a worker has published that it can do."""

    job_type: str
    description: str
    payload_schema: dict[str, Any]
    result_schema: dict[str, Any]
    max_retries: int
    timeout_seconds: float
    max_concurrent: int | None
    max_concurrent_per_key: int


class WorkerJob(TypedDict):
    """An attempt that a worker runs."""

    job_id: str
    job_type: str
    queue: str
    attempt: int
    started_at: str


class Worker(TypedDict):
    """A worker process; ``queues`` empty means every queue."""

    worker_id: str
    hostname: str
    process_id: int
    version: str
    queues: list[str]
    job_types: list[str]
    concurrency: int
    running: int
    started_at: str
    lease_until: str
    sees_files: bool
    draining_since: str | None
    jobs: list[WorkerJob]
    alive: bool


class QueueBacklog(TypedDict):
    """What waits and runs in one queue."""

    queue: str
    queued: int
    scheduled: int
    retrying: int
    running: int
    oldest_waiting_seconds: float | None


class ProviderBacklog(TypedDict):
    """The deliveries that wait for one provider."""

    provider: str
    waiting: int
    oldest_seconds: float


class Activity(TypedDict):
    """What was done in a stretch of time."""

    submitted: int
    succeeded: int
    failed: int
    cancelled: int
    retried: int
    mean_wait_seconds: float | None
    mean_duration_seconds: float | None


class Statistics(TypedDict):
    """How the platform stands; a count that reaches ``count_limit`` means so many or more."""

    measured_at: str
    count_limit: int
    queued: int
    scheduled: int
    retrying: int
    running: int
    oldest_waiting_seconds: float | None
    queues: list[QueueBacklog]
    workers_alive: int
    slots: int
    deliveries_waiting: int
    oldest_delivery_seconds: float | None
    providers: list[ProviderBacklog]
    deliveries: dict[str, int]
    last_minute: Activity
    last_hour: Activity


class Quantiles(TypedDict):
    """Seconds that so many of a hundred did not exceed; None where no attempt ended."""

    p50: float | None
    p95: float | None
    p99: float | None


class Point(TypedDict):
    """What was done in the step that begins at ``at``."""

    at: str
    submitted: int
    succeeded: int
    failed: int
    cancelled: int
    retried: int
    attempts: int
    wait_seconds: Quantiles
    duration_seconds: Quantiles


class History(TypedDict):
    """What was done over time; ``points`` has one for each step, in order."""

    start: str
    end: str
    step_seconds: int
    points: list[Point]
