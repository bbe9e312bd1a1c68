"""One attempt: the processor under its limits, and an ``Outcome`` whatever happens. Nothing it does escapes."""

from __future__ import annotations

import asyncio
import contextvars
import traceback
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import Any

import orjson
from pydantic import ValidationError

from perdure.models.job import Job
from perdure.models.outcome import (
    Cancelled,
    ErrorReason,
    Failed,
    JobError,
    Outcome,
    Released,
    Snoozed,
    Succeeded,
    storable,
)
from perdure.processors.base import NotRetryable, Processor, Snooze
from perdure.workers.context import AttemptContext, StopReason

MAX_MESSAGE = 2_000
MAX_TRACEBACK = 16_000
MAX_RESULT_BYTES = 1_048_576


async def execute(processor: Processor, job: Job, context: AttemptContext, threads: Executor) -> Outcome:
    """Runs the attempt that ``job`` stands for. Raises nothing, but when the loop itself is torn down."""
    limit = asyncio.timeout(job.timeout_seconds)
    try:
        async with limit:
            value = await _call(processor, job, context, threads)
        return _succeeded(processor, value)
    except TimeoutError as error:
        return _timed_out(job, context) if limit.expired() else _failed(error, ErrorReason.RETRIES_EXHAUSTED)
    except asyncio.CancelledError as error:
        return _stopped(context, error)
    except Snooze as snooze:
        return Snoozed(max(snooze.seconds, 0.0))
    except NotRetryable as error:
        return _failed(error, ErrorReason.NOT_RETRYABLE)
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 (a processor may raise what it likes)
        return _failed(error, ErrorReason.RETRIES_EXHAUSTED)


async def _call(processor: Processor, job: Job, context: AttemptContext, threads: Executor) -> Any:
    try:
        payload = processor.payload_type.validate_python(job.payload)
    except ValidationError as error:
        raise NotRetryable(_payload_refused(error)) from None
    arguments = (payload, context) if processor.takes_context else (payload,)
    if processor.is_async:
        return await processor.function(*arguments)
    run = partial(contextvars.copy_context().run, _call_plain, processor.function, *arguments)
    return await asyncio.get_running_loop().run_in_executor(threads, run)


def _call_plain(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except StopIteration as error:  # a future cannot carry it
        raise RuntimeError("the processor raised StopIteration") from error


def _payload_refused(error: ValidationError) -> str:
    problems = [
        f"{'.'.join(map(str, one['loc'])) or 'payload'}: {one['msg']}" for one in error.errors(include_url=False)
    ]
    return "This worker's version of the job type does not take the payload: " + "; ".join(problems)


def _succeeded(processor: Processor, value: Any) -> Outcome:
    """The result as JSON that PostgreSQL can keep, or the failure to make it so."""
    try:
        result = processor.result_type.dump_python(value, mode="json", warnings=False)
        encoded = orjson.dumps(result)
    except Exception as error:  # noqa: BLE001 (serialisers are user code too)
        return _failed(NotRetryable(f"the result is not JSON: {error}"), ErrorReason.NOT_RETRYABLE)
    if len(encoded) > MAX_RESULT_BYTES:
        size = f"the result has {len(encoded):,} bytes; at most {MAX_RESULT_BYTES:,} are kept with a job"
        return _failed(NotRetryable(size), ErrorReason.NOT_RETRYABLE)
    if b"\\u0000" in encoded:
        return _failed(
            NotRetryable("the result holds a NUL character, which cannot be kept"), ErrorReason.NOT_RETRYABLE
        )
    return Succeeded(result)


def _timed_out(job: Job, context: AttemptContext) -> Outcome:
    context.stop_reason = StopReason.TIMED_OUT
    return Failed(
        JobError(ErrorReason.TIMED_OUT, "TimedOut", f"the attempt took longer than {job.timeout_seconds:g} s")
    )


def _stopped(context: AttemptContext, error: BaseException) -> Outcome:
    match context.stop_reason:
        case StopReason.CANCELLED:
            return Cancelled()
        case StopReason.RELEASED | StopReason.LEASE_LOST:
            return Released()
        case _:  # the processor raised it by itself
            return _failed(error, ErrorReason.RETRIES_EXHAUSTED)


def _failed(error: BaseException, reason: ErrorReason) -> Failed:
    trace = "".join(traceback.format_exception(error)) if reason is not ErrorReason.NOT_RETRYABLE else None
    return Failed(
        JobError(
            reason=reason,
            type=type(error).__name__,
            message=storable(str(error))[:MAX_MESSAGE],
            traceback=None if trace is None else storable(trace)[-MAX_TRACEBACK:],
        )
    )
