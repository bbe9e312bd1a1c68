"""One attempt: the processor where it runs, and an ``Outcome`` whatever happens. Nothing it does escapes."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable
from concurrent.futures import Executor
from typing import Any

from pydantic import ValidationError

from perdure.models.job import Job
from perdure.models.outcome import Cancelled, Outcome
from perdure.processors.base import NotRetryable, Processor
from perdure.workers.context import AttemptContext, StopReason
from perdure.workers.outcomes import raised, returned


async def execute(processor: Processor, job: Job, context: AttemptContext, threads: Executor) -> Outcome:
    """Runs the attempt that ``job`` stands for until its processor has really ended. Raises nothing.

    It knows no deadline: whoever overrules an attempt has concluded it, and drops what this returns in the end.
    """
    if context.stop_reason is not None:  # told before it began
        return Cancelled()
    try:
        payload = _payload(processor, job)
    except BaseException as error:  # noqa: BLE001 (validators are user code)
        return raised(job, error)
    outcome = await _call(processor, job, context, payload, threads)
    stopped = context.stop_reason is StopReason.CANCELLED and context.has_seen_stop
    return Cancelled() if stopped else outcome


def _call(
    processor: Processor, job: Job, context: AttemptContext, payload: Any, threads: Executor
) -> Awaitable[Outcome]:
    """Where the processor runs: in the event loop, or in a thread."""
    arguments = (payload, context) if processor.takes_context else (payload,)
    if processor.is_async:
        return _in_loop(processor, job, context, arguments)
    run = contextvars.copy_context().run
    return asyncio.get_running_loop().run_in_executor(threads, run, _blocking, processor, job, arguments)


async def _in_loop(processor: Processor, job: Job, context: AttemptContext, arguments: tuple[Any, ...]) -> Outcome:
    try:
        return returned(processor, job, await processor.function(*arguments))
    except BaseException as error:  # noqa: BLE001 (a processor may raise what it likes)
        context.has_seen_stop = True  # if it was told: the interruption came out of it, or what that led to
        return raised(job, error)


def _blocking(processor: Processor, job: Job, arguments: tuple[Any, ...]) -> Outcome:
    try:
        return returned(processor, job, processor.function(*arguments))
    except BaseException as error:  # noqa: BLE001 (as above)
        return raised(job, error)


def _payload(processor: Processor, job: Job) -> Any:
    try:
        return processor.payload_type.validate_python(job.payload)
    except ValidationError as error:
        raise NotRetryable(_payload_refused(error)) from None


def _payload_refused(error: ValidationError) -> str:
    problems = [
        f"{'.'.join(map(str, one['loc'])) or 'payload'}: {one['msg']}" for one in error.errors(include_url=False)
    ]
    return "This worker's version of the job type does not take the payload: " + "; ".join(problems)
