"""Queues on the wire."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictStr

from perdure.schemas.base import Answer, Moment, Request

MAX_REASON_LENGTH = 500


class PauseRequest(Request):
    """Why a queue is paused."""

    reason: Annotated[StrictStr, Field(max_length=MAX_REASON_LENGTH)] | None = Field(
        None, description="for whoever finds it paused"
    )


class PauseAnswer(Answer):
    """Whether a queue is paused."""

    name: str
    paused_at: Moment | None = Field(None, description="null: it is not paused")
    paused_by: str | None = Field(None, description='the name of an API key, or "local" where none is asked for')
    pause_reason: str | None = None
