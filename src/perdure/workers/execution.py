"""One attempt: the processor where it runs, and an ``Outcome`` whatever happens. Nothing it does escapes."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable
from concurrent.futures import Executor
from typing import Any

from perdure.models.job import Job
from perdure.models.outcome import Cancelled, Outcome
from perdure.processors.base import Processor
from perdure.workers.calling import arguments_of, call, call_async
from perdure.workers.context import AttemptContext, StopReason
from perdure.workers.isolation import IsolatedProcesses
from perdure.workers.outcomes import raised


async def execute(
    processor: Processor, job: Job, context: AttemptContext, threads: Executor, processes: IsolatedProcesses
) -> Outcome:
    """Runs the attempt that ``job`` stands for until its processor has really ended. Raises nothing.

    It knows no deadline: whoever overrules an attempt has concluded it, and drops what this returns in the end.
    """
    if context.stop_reason is not None:  # told before it began
        return Cancelled()
    try:
        if processor.isolation == "process":
            outcome = await processes.run(processor, job, context)
        else:
            arguments = arguments_of(processor, job.payload, context)
            if processor.is_async:
                outcome = await call_async(processor, arguments, context)
            else:
                outcome = await _in_thread(threads, processor, arguments)
    except BaseException as error:  # noqa: BLE001 (validators are user code)
        return raised(processor.job_type, error)
    stopped = context.stop_reason is StopReason.CANCELLED and context.has_seen_stop
    return Cancelled() if stopped else outcome


def _in_thread(threads: Executor, processor: Processor, arguments: tuple[Any, ...]) -> Awaitable[Outcome]:
    run = contextvars.copy_context().run
    return asyncio.get_running_loop().run_in_executor(threads, run, call, processor, arguments)
