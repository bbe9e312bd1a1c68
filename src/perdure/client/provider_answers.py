"""What a server answers about notification providers, as types like those of ``answers``."""

from __future__ import annotations

from typing import TypedDict


class Circuit(TypedDict):
    """A destination of a provider where calls failed."""

    destination: str
    state: str
    since: str
    blocked_until: str | None
    failures: int
    failed_at: str
    status_code: int | None
    error_type: str | None
    message: str | None


class Provider(TypedDict):
    """A provider: the worst state among its circuits, and what waits for it."""

    name: str
    channel: str
    state: str
    waiting: int
    oldest_seconds: float | None
    circuits: list[Circuit]
