"""Logs of jobs on the wire."""

from __future__ import annotations

from pydantic import Field

from perdure.models.job_log import LogLevel
from perdure.schemas.base import Answer, Moment


class LogLineAnswer(Answer):
    """One line of a job's log, as its processor said it."""

    line: int = Field(description="rises with each line of the job; from an attempt to the next it leaps")
    run: int
    attempt: int
    at: Moment
    level: LogLevel
    message: str


class LogLineList(Answer):
    items: list[LogLineAnswer]
    next_cursor: str | None = Field(description="pass it as `after` for the next page; null when there are no more yet")
