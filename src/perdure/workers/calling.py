"""Calls a processor's function, where it is to run: in a loop, a thread or a process of its own. Raises nothing."""

from __future__ import annotations

from typing import Any, Protocol

from pydantic import ValidationError

from perdure.models.outcome import Outcome
from perdure.processors.base import JobContext, NotRetryable, Processor
from perdure.workers.outcomes import raised, returned


class StoppableContext(JobContext, Protocol):
    """A context that knows whether the processor does."""

    has_seen_stop: bool
    """Whether the processor knows that it was told to stop: it looked, or was interrupted."""


def arguments_of(processor: Processor, payload: Any, context: JobContext) -> tuple[Any, ...]:
    """What the function takes. The validators of its payload are user code: they may raise anything.

    Raises ``NotRetryable`` for a payload that this version of the processor does not take.
    """
    try:
        taken = processor.validated(payload)
    except ValidationError as error:
        raise NotRetryable(_refused(error)) from None
    return (taken, context) if processor.takes_context else (taken,)


def call(processor: Processor, arguments: tuple[Any, ...]) -> Outcome:
    """Calls a plain function. Blocks."""
    try:
        return returned(processor, processor.function(*arguments))
    except BaseException as error:  # noqa: BLE001 (a processor may raise what it likes)
        return raised(processor.job_type, error)


async def call_async(processor: Processor, arguments: tuple[Any, ...], context: StoppableContext) -> Outcome:
    try:
        return returned(processor, await processor.function(*arguments))
    except BaseException as error:  # noqa: BLE001 (as above)
        context.has_seen_stop = True  # if it was told: the interruption came out of it, or what that led to
        return raised(processor.job_type, error)


def _refused(error: ValidationError) -> str:
    problems = [
        f"{'.'.join(map(str, one['loc'])) or 'payload'}: {one['msg']}" for one in error.errors(include_url=False)
    ]
    return "This worker's version of the job type does not take the payload: " + "; ".join(problems)
