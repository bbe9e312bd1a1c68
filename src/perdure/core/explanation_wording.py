"""How explanations put attempts and errors in the words of a sentence."""

from __future__ import annotations

from typing import Any

from perdure.models.job import Job
from perdure.models.outcome import JobError
from perdure.models.wording import first_line


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
