"""What a server answers, as types: plain dictionaries, decoded from its JSON and not copied into anything.

They help an editor and a type checker; nothing is checked at run time, so that a newer server may answer with more.
Timestamps are ISO 8601 text in UTC. A test holds every field against the server's own schemas.
"""

from __future__ import annotations

from typing import Any, Generic, Required, TypedDict, TypeVar

Item = TypeVar("Item")


class Page(TypedDict, Generic[Item]):
    """One page of a list; ``next_cursor`` is None on the last one. Before it, one of jobs may have few or none."""

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
