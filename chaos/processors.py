"""The job types of a run: attempts that take their time, fail as often as asked, or ask to be run again later."""

from __future__ import annotations

import asyncio
import time

from pydantic import BaseModel, ConfigDict

from chaos import ambiguous_commits
from perdure.models.retry import RetryPolicy
from perdure.processors.base import JobContext, NotRetryable, Snooze, processor

ambiguous_commits.install_if_asked()

TASK_TYPE = "chaos.task"
THREAD_TYPE = "chaos.thread"
SNOOZE_SECONDS = 0.4
QUICKLY = RetryPolicy(base_seconds=0.05, max_seconds=0.2)
MAX_RETRIES = 30
"""Lost attempts count: so many that none is used up by faults alone."""


class Work(BaseModel):
    """What an attempt does: attempt ``n`` takes ``seconds[n - 1]`` (the last of them if there are fewer).

    Before ``not_before`` (Unix time) it snoozes, the first ``failures`` attempts fail, and with ``fatal`` all do, for
    good. ``number`` says which submission it came from.
    """

    model_config = ConfigDict(extra="forbid")

    number: int
    seconds: list[float]
    failures: int = 0
    fatal: bool = False
    not_before: float = 0.0


class Worked(BaseModel):
    """Which attempt it was that got done."""

    attempt: int


class AskedToFail(Exception):
    """Raised by an attempt that was asked to fail."""


@processor(TASK_TYPE, max_retries=MAX_RETRIES, retry=QUICKLY)
async def task(payload: Work, ctx: JobContext) -> Worked:
    await asyncio.sleep(_begin(payload, ctx))
    return _end(payload, ctx)


@processor(THREAD_TYPE, max_retries=MAX_RETRIES, retry=QUICKLY)
def thread(payload: Work, ctx: JobContext) -> Worked:
    """The same in a thread, which nothing can stop: not even the loss of the lease."""
    time.sleep(_begin(payload, ctx))
    return _end(payload, ctx)


def _begin(payload: Work, ctx: JobContext) -> float:
    if time.time() < payload.not_before:
        raise Snooze(SNOOZE_SECONDS)
    ctx.progress(50, str(ctx.attempt))  # the oracle asks whose progress a row holds
    return payload.seconds[min(ctx.attempt, len(payload.seconds)) - 1]


def _end(payload: Work, ctx: JobContext) -> Worked:
    if payload.fatal:
        raise NotRetryable("as asked, for good")
    if ctx.attempt <= payload.failures:
        raise AskedToFail("as asked")
    return Worked(attempt=ctx.attempt)
