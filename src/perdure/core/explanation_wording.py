"""How explanations put things: moments, durations, attempts and errors, each in the words of a sentence."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from perdure.models.job import Job
from perdure.models.outcome import JobError

MESSAGE_LENGTH = 200
"""Characters of somebody's message that an explanation repeats."""
SECONDS_TOLD, MINUTES_TOLD = 120, 120
"""So many are told as they are; more, in the next larger unit."""


def attempt_of(job: Job) -> str:
    return f"attempt {job.attempt} of {job.max_attempts}"


def attempt_data(job: Job) -> dict[str, Any]:
    error = None if job.error is None else {"reason": job.error.reason.value, "type": job.error.type}
    return {"run": job.run, "attempt": job.attempt, "max_attempts": job.max_attempts, "error": error}


def error_of(error: JobError | None, *, with_reason: bool = True) -> str:
    """`` with ValueError: no (not_retryable)``, of the message's first line as much as a sentence bears.

    ``with_reason`` is for an end: of an attempt that another follows, ``retries_exhausted`` would be untrue.
    """
    if error is None:
        return ""
    line = first_line(error.message)
    reason = f" ({error.reason.value})" if with_reason else ""
    return f" with {error.type}{f': {line}' if line else ''}{reason}"


def first_line(text: str) -> str:
    """The first line, as much as a sentence bears."""
    return text.partition("\n")[0][:MESSAGE_LENGTH].rstrip(".")


def duration(seconds: float) -> str:
    if seconds < SECONDS_TOLD:
        return f"{max(seconds, 1):.0f} s"
    if seconds < MINUTES_TOLD * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.0f} h"


def moment(at: datetime | None) -> str:
    return "an unknown time" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"
