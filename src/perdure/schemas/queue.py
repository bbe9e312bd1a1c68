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


class QueueAnswer(PauseAnswer):
    """A queue as it stands."""

    queued: int = Field(description="ready: the next free worker takes them")
    scheduled: int
    retrying: int
    running: int
    oldest_waiting_seconds: float | None = Field(description="since the longest-waiting ready job was due")
    workers: int = Field(description="living ones that serve it")


class QueueList(Answer):
    """Every queue where something waits or runs, that a living worker names, or that is paused, by name.

    Where something waits or runs in more than so many queues, as in the statistics: those that have waited longest, and
    where most runs.
    """

    measured_at: Moment = Field(description="when it was counted, at most five seconds ago; pauses are as they stand")
    count_limit: int = Field(description="a count that reaches it means so many or more")
    items: list[QueueAnswer]
    next_cursor: None = None
