"""Processors that show how the platform behaves: one that takes time, one that fails."""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from perdure.processors.base import JobContext, processor


class SleepRequest(BaseModel):
    """How long to sleep, in seconds (at most an hour)."""

    model_config = ConfigDict(extra="forbid")

    seconds: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 1.0


class SleepResult(BaseModel):
    slept_seconds: float


class FailRequest(BaseModel):
    """What to say, and how many attempts fail before one succeeds (all, when left out)."""

    model_config = ConfigDict(extra="forbid")

    message: Annotated[str, Field(max_length=1000)] = "failing as asked"
    times: Annotated[int, Field(ge=0, le=1000)] | None = None


class FailResult(BaseModel):
    failed_attempts: int


class DemonstrationError(Exception):
    """Raised by ``demo.fail``, as asked."""


@processor("demo.sleep")
async def sleep(payload: SleepRequest) -> SleepResult:
    """Sleeps for the given number of seconds."""
    await asyncio.sleep(payload.seconds)
    return SleepResult(slept_seconds=payload.seconds)


@processor("demo.fail")
async def fail(payload: FailRequest, ctx: JobContext) -> FailResult:
    """Fails the first ``times`` attempts, or all of them."""
    if payload.times is None or ctx.attempt <= payload.times:
        raise DemonstrationError(payload.message)
    return FailResult(failed_attempts=ctx.attempt - 1)
