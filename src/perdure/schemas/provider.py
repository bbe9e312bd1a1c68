"""Notification providers on the wire."""

from __future__ import annotations

from pydantic import Field

from perdure.models.circuit import CircuitState
from perdure.schemas.base import Answer, Moment


class CircuitAnswer(Answer):
    """A destination of a provider where calls failed."""

    destination: str
    state: CircuitState
    since: Moment = Field(description="when it came to its state")
    blocked_until: Moment | None = Field(description="nothing is sent there before; then a probe, unless it is closed")
    failures: int = Field(description="in a row")
    failed_at: Moment = Field(description="when the last call failed that did")
    status_code: int | None = Field(description="of that call, as the next two")
    error_type: str | None
    message: str | None


class ProviderAnswer(Answer):
    """A provider as it stands."""

    name: str
    channel: str
    state: CircuitState = Field(description="the worst among its circuits")
    waiting: int = Field(description="deliveries of its channel that are still to be sent, at most 10,000 are counted")
    oldest_seconds: float | None = Field(description="the age of the oldest among these")
    circuits: list[CircuitAnswer] = Field(description="where something failed: the open ones, then the latest, 100")


class ProviderList(Answer):
    """The providers that this server knows, by channel."""

    items: list[ProviderAnswer]
    next_cursor: None = None
