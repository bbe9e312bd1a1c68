"""What a server answers about webhook endpoints, as types like those of ``answers``."""

from __future__ import annotations

from typing import TypedDict


class Endpoint(TypedDict):
    """A named place to call."""

    name: str
    url: str
    state: str
    reason: str | None
    disabled_at: str | None
    failing_since: str | None
    former_secret_until: str | None
    created_at: str
    updated_at: str
    set_by: str


class EndpointWithSecret(Endpoint):
    """The same, with its secret when that was made just now; it is shown this once."""

    secret: str | None


class Recovery(TypedDict):
    """How many deliveries are sent again; there are more unless it is complete."""

    resent: int
    is_complete: bool


class EndpointTest(TypedDict):
    """What a test call came to."""

    webhook_id: str
    arrived: bool
    verdict: str
    status_code: int | None
    error_type: str | None
    message: str | None
    response_excerpt: str | None
    duration_ms: int
