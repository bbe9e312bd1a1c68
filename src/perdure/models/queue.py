"""A paused queue: who stopped it from giving jobs, since when, and why. Every other queue gives its jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class PausedQueue:
    """``paused_by`` is the name of an API key, or ``local`` where none is asked for."""

    name: str
    paused_at: datetime
    paused_by: str
    pause_reason: str | None
