"""What an attempt came to, from what its processor returned or raised. Whatever that was, it becomes an ``Outcome``.

It may be anything: an error that cannot be printed, a result of ten megabytes or with itself inside. What is kept is
bounded, and everything here may be called in whichever thread or process the processor ran in.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import orjson

from perdure.models.fingerprint import fingerprint
from perdure.models.job import Job
from perdure.models.outcome import ErrorReason, Failed, JobError, Outcome, Snoozed, Succeeded, storable
from perdure.models.retry import checked_wait
from perdure.processors.base import NotRetryable, Processor, RetryAfter, Snooze

MAX_TYPE = 200
MAX_MESSAGE = 2_000
MAX_TRACEBACK = 16_000
MAX_RESULT_BYTES = 1_048_576
_MAX_GROUPED = 5
"""So many errors of a group, at each of so many levels, tell it from others."""


def returned(processor: Processor, value: Any) -> Outcome:
    """The result as JSON that PostgreSQL can keep, or the failure to make it so."""
    if value is None and processor.returns_nothing:
        return Succeeded(None)
    try:
        result = processor.result_type.dump_python(value, mode="json", warnings=False)
        encoded = orjson.dumps(result)
    except Exception as error:  # noqa: BLE001 (serialisers are user code too)
        return raised(processor.job_type, NotRetryable(f"the result is not JSON: {_message(error)}"))
    if len(encoded) > MAX_RESULT_BYTES:
        size = f"the result has {len(encoded):,} bytes; at most {MAX_RESULT_BYTES:,} are kept with a job"
        return raised(processor.job_type, NotRetryable(size))
    if b"\\u0000" in encoded:
        return raised(processor.job_type, NotRetryable("the result holds a NUL character, which cannot be kept"))
    return Succeeded(result)


def raised(job_type: str, error: BaseException) -> Outcome:
    """What a raised error asks for; whatever is not one of ours is an attempt that failed."""
    if isinstance(error, MemoryError):
        traceback.clear_frames(error.__traceback__)  # what used it up must go before there is room to tell of it
    try:
        match error:
            case Snooze(seconds=seconds):
                return Snoozed(checked_wait(seconds))
            case RetryAfter(seconds=seconds):
                return Failed(_error(job_type, error), checked_wait(seconds))
            case NotRetryable():
                return Failed(_error(job_type, error, ErrorReason.NOT_RETRYABLE))
            case _:
                return Failed(_error(job_type, error))
    except Exception as mistake:  # noqa: BLE001 (a subclass of ours may be anything)
        return Failed(_error(job_type, mistake))


def timed_out(job: Job) -> Outcome:
    message = f"the attempt took longer than {job.timeout_seconds:g} s"
    return Failed(JobError(ErrorReason.TIMED_OUT, "TimedOut", message))


def _error(job_type: str, error: BaseException, reason: ErrorReason = ErrorReason.RETRIES_EXHAUSTED) -> JobError:
    """The error as it is kept: without a traceback where the message is meant to say it all."""
    kind, message = type(error).__name__[:MAX_TYPE], _message(error)
    traced = reason is not ErrorReason.NOT_RETRYABLE
    places = list(_places(error)) if traced else []
    return JobError(
        reason=reason,
        type=kind,
        message=message,
        traceback=_traceback(error) if traced else None,
        fingerprint=fingerprint(job_type, reason.value, kind, message, places),
    )


def _message(error: BaseException) -> str:
    try:
        return storable(str(error)[:MAX_MESSAGE])
    except Exception as failure:  # noqa: BLE001 (its own, in user code)
        return f"(its message cannot be read: __str__ raised {type(failure).__name__})"


def _traceback(error: BaseException) -> str:
    """The processor's own part of it, the end if it is long; no line of it longer than a message."""
    try:
        lines = traceback.format_exception(type(error), error, _own(error.__traceback__))
    except Exception as failure:  # noqa: BLE001 (it asks the error, its causes and its notes, which are user code)
        return f"(it cannot be written: {type(failure).__name__})"
    cut = (line if len(line) <= MAX_MESSAGE else f"{line[:MAX_MESSAGE]}…\n" for line in lines)
    return storable("".join(cut)[-MAX_TRACEBACK:])


def _own(trace: TracebackType | None) -> TracebackType | None:
    """From the processor on: how we called it is of no interest."""
    while trace is not None and trace.tb_frame.f_globals.get("__package__") == __package__:
        trace = trace.tb_next
    return trace


def _places(error: BaseException, depth: int = 1) -> Iterator[str]:
    """The functions that the error passed through, outermost first; of a group also those of its errors."""
    trace = _own(error.__traceback__)
    while trace is not None:
        frame = trace.tb_frame
        yield f"{frame.f_globals.get('__name__')}:{frame.f_code.co_qualname}"
        trace = trace.tb_next
    if isinstance(error, BaseExceptionGroup) and depth < _MAX_GROUPED:
        for one in error.exceptions[:_MAX_GROUPED]:
            yield type(one).__name__
            yield from _places(one, depth + 1)
