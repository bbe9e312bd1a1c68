"""What a server answers, as types: plain dictionaries, decoded from its JSON and not copied into anything.

They help an editor and a type checker; nothing is checked at run time, so that a newer server may answer with more.
Timestamps are ISO 8601 text in UTC. A test holds every field against the server's own schemas.
"""

from __future__ import annotations

from typing import Any, Generic, Required, TypedDict, TypeVar

Item = TypeVar("Item")


class Page(TypedDict, Generic[Item]):
    """One page of a list; ``next_cursor`` is None on the last one."""

    items: list[Item]
    next_cursor: str | None


class JobError(TypedDict):
    """How the last attempt of a job ended."""

    reason: str
    type: str
    message: str
    traceback: str | None
    fingerprint: str | None


class JobSummary(TypedDict):
    """A job in a list: all but its payload and result."""

    job_id: str
    job_type: str
    queue: str
    priority: int
    status: str
    run: int
    attempt: int
    max_attempts: int
    timeout_seconds: float
    tags: list[str]
    created_at: str
    run_at: str
    started_at: str | None
    finished_at: str | None
    cancel_requested_at: str | None
    expires_at: str | None
    unique_key: str | None
    concurrency_key: str | None
    copy_of: str | None
    context: dict[str, Any] | None
    notifications: dict[str, Any] | None
    progress: dict[str, Any] | None
    error: JobError | None


class Job(JobSummary):
    """A job, whole."""

    payload: Any
    result: Any


class Submitted(TypedDict, total=False):
    """What became of one of many jobs: its ``job_id`` once it is stored, or the ``problem`` that kept it out."""

    index: Required[int]
    job_id: str | None
    problem: dict[str, Any] | None


class Event(TypedDict):
    """One line of a job's timeline."""

    event: str
    run: int
    attempt: int
    at: str
    data: dict[str, Any]


class LogLine(TypedDict):
    """One line of a job's log; ``line`` is its number, which rises."""

    line: int
    run: int
    attempt: int
    at: str
    level: str
    message: str


class StreamEvent(TypedDict):
    """Something that happened to a job, or to a notification of it; ``status`` is how it left the job."""

    event: str
    job_id: str
    job_type: str
    queue: str
    tags: list[str]
    run: int
    attempt: int
    status: str
    at: str
    data: dict[str, Any]


class Reason(TypedDict):
    """Why a job stands where it stands: a stable code, a sentence, and the values in it."""

    code: str
    message: str
    data: dict[str, Any]


class Explanation(TypedDict):
    """The reasons, the decisive one first; ``summary`` is its sentence."""

    job_id: str
    status: str
    summary: str
    reasons: list[Reason]


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


class Preview(TypedDict):
    """What a submission would come to; ``reasons`` is what it would wait for once due."""

    job: DeclaredJob
    retries: list[PlannedRetry]
    deliveries: list[PlannedDelivery]
    has_worker: bool
    reasons: list[Reason]
    unique_holder: str | None


class Delivery(TypedDict):
    """One telling of one recipient (masked) about one event of a job."""

    delivery_id: str
    job_id: str
    run: int
    event: str
    channel: str
    provider: str
    recipient: str | None
    status: str
    reason: str | None
    attempts: int
    next_attempt_at: str | None
    provider_message_id: str | None
    created_at: str
    finished_at: str | None
    resend_of: str | None


class Try(TypedDict):
    """One try of a delivery."""

    number: int
    started_at: str
    duration_ms: int
    provider: str
    verdict: str
    status_code: int | None
    error_type: str | None
    message: str | None
    provider_message_id: str | None


class DeliveryDetail(Delivery):
    """A delivery with every try."""

    tries: list[Try]


class StoredFile(TypedDict):
    """A stored file; a payload names it by ``file_id``."""

    file_id: str
    name: str
    content_type: str
    size_bytes: int
    sha256: str
    created_at: str


class JobFile(StoredFile):
    """A file of a job: ``role`` is "input" (its payload names it) or "output" (it saved it)."""

    role: str


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


class ScheduleSummary(TypedDict):
    """A schedule in a list; ``job`` is what it submits, as it was sent."""

    name: str
    expression: str
    time_zone: str
    job: dict[str, Any]
    catch_up: str
    overlap: str
    paused: bool
    created_at: str
    updated_at: str
    next_run_at: str | None
    last_error: str | None


class ScheduleRun(TypedDict):
    """One time of a schedule, and what became of it."""

    slot_at: str
    outcome: str
    job_id: str | None
    job_status: str | None


class Schedule(ScheduleSummary):
    """A schedule, whole: in words, its next times, and its latest."""

    description: str
    next_runs: list[str]
    last_runs: list[ScheduleRun]


class Mail(TypedDict):
    """A mail that the local inbox caught; ``mail`` is the body that was sent to Mailtrap's API."""

    message_id: str
    received_at: str
    mail: dict[str, Any]


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


class QueueBacklog(TypedDict):
    """What waits and runs in one queue."""

    queue: str
    queued: int
    scheduled: int
    retrying: int
    running: int
    oldest_waiting_seconds: float | None


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
