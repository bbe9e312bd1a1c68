"""What a server answers about actions on many jobs, as types like those of ``answers``."""

from __future__ import annotations

from typing import Any, TypedDict


class JobAction(TypedDict):
    """One verb on all the jobs that match a filter, and how far it has come."""

    action_id: str
    action: str
    filter: dict[str, Any]
    reason: str | None
    status: str
    done: int
    skipped: dict[str, int]
    requested_by: str
    stopped_by: str | None
    created_at: str
    finished_at: str | None


class JobActionPreview(TypedDict):
    """What an action would do just now; the numbers are the least they can be unless ``is_complete``."""

    action: str
    matched: int
    is_complete: bool
    done: int
    skipped: dict[str, int]
    sample: list[str]
