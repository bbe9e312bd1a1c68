"""Webhook endpoints on the wire. A secret is answered once, when it is made."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from perdure.models.delivery import Verdict
from perdure.models.webhook_endpoint import DisabledReason, EndpointState
from perdure.schemas.base import Answer, Moment, Request
from perdure.schemas.urls import Url


class EndpointWrite(Request):
    """Where an endpoint is."""

    url: Url = Field(description="where to POST to; https, or a network that the operator allows")


class RecoverRequest(Request):
    """From when on to send again."""

    since: Moment = Field(description="deliveries that were written before this are left alone")


class EndpointAnswer(Answer):
    """A named place to call."""

    name: str
    url: str
    state: EndpointState
    reason: DisabledReason | None = Field(description="why it is disabled")
    disabled_at: Moment | None
    failing_since: Moment | None = Field(description="since when nothing came through, and something failed")
    former_secret_until: Moment | None = Field(description="until when a replaced secret signs as well, if one does")
    created_at: Moment
    updated_at: Moment = Field(description="when somebody last changed it")
    set_by: str = Field(description="who did: the name of an API key, or `local`")


class EndpointWithSecret(EndpointAnswer):
    """An endpoint, with its secret when that was made just now."""

    secret: str | None = Field(description="signs from now on; shown this once. null: it has the one it had")


class EndpointList(Answer):
    items: list[EndpointAnswer]
    next_cursor: None = None


class RecoverAnswer(Answer):
    """What a recovery came to."""

    resent: int = Field(description="how many deliveries are sent again")
    is_complete: bool = Field(description="false: there are more; ask again")


class EndpointTestAnswer(Answer):
    """What a test call came to. No delivery records it."""

    webhook_id: UUID = Field(description="the header `webhook-id` of the call")
    arrived: bool
    verdict: Verdict
    status_code: int | None
    error_type: str | None
    message: str | None
    response_excerpt: str | None
    duration_ms: int
