"""One attempt: the processor where it runs, and an ``Outcome`` whatever happens. Nothing it does escapes."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable
from concurrent.futures import Executor

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
        outcome = await _call(processor, job, context, threads, processes)
    except BaseException as error:  # noqa: BLE001 (validators are user code)
        return raised(processor.job_type, error)
    stopped = context.stop_reason is StopReason.CANCELLED and context.has_seen_stop
    return Cancelled() if stopped else outcome


def _call(
    processor: Processor, job: Job, context: AttemptContext, threads: Executor, processes: IsolatedProcesses
) -> Awaitable[Outcome]:
    """Where the processor runs: in the event loop, a thread, or a child process."""
    if processor.isolation == "process":
        return processes.run(processor, job, context)
    arguments = arguments_of(processor, job.payload, context)
    if processor.is_async:
        return call_async(processor, arguments, context)
    run = contextvars.copy_context().run
    return asyncio.get_running_loop().run_in_executor(threads, run, call, processor, arguments)
