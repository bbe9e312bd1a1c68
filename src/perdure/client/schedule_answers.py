"""What a server answers about schedules, as types like those of ``answers``."""

from __future__ import annotations

from typing import Any, TypedDict


class ScheduleSummary(TypedDict):
    """A schedule in a list; ``job`` is what it submits, as it was sent."""

    name: str
    expression: str
    time_zone: str
    job: dict[str, Any]
    catch_up: str
    overlap: str
    paused: bool
    created_at: str
    updated_at: str
    next_run_at: str | None
    last_error: str | None


class ScheduleRun(TypedDict):
    """One time of a schedule, and what became of it."""

    slot_at: str
    outcome: str
    job_id: str | None
    job_status: str | None


class Schedule(ScheduleSummary):
    """A schedule, whole: in words, its next times, and its latest."""

    description: str
    next_runs: list[str]
    last_runs: list[ScheduleRun]
