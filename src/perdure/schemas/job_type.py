"""Job types on the wire."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from perdure.schemas.base import Answer, Moment


class JobTypeAnswer(Answer):
    """What a worker has published that it can do, with its defaults."""

    job_type: str
    description: str
    payload_schema: dict[str, Any]
    result_schema: dict[str, Any]
    max_retries: int
    timeout_seconds: float
    retry_base_seconds: float
    retry_max_seconds: float
    max_concurrent: int | None = Field(description="so many run at a time, over all workers; null: any number")
    max_concurrent_per_key: int = Field(description="so many jobs of one concurrency_key run at a time")
    published_at: Moment


class JobTypeList(Answer):
    items: list[JobTypeAnswer]
    next_cursor: None = None
