"""What a server answers about subscriptions, as types like those of ``answers``."""

from __future__ import annotations

from typing import Any, TypedDict


class Subscription(TypedDict):
    """Whom the operator wants told of which jobs; ``notifications`` are as they were sent."""

    name: str
    job_type: str | None
    queue: str | None
    events: list[str]
    notifications: dict[str, Any]
    created_at: str
    updated_at: str
    set_by: str
