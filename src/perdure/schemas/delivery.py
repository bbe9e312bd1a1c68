"""Deliveries on the wire. Recipients are masked: whoever may read the audit need not learn the address."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field, computed_field

from perdure.models.circuit import CircuitState
from perdure.models.delivery import DeliveryStatus, Verdict
from perdure.models.delivery_explanation import explained
from perdure.schemas.base import Answer, Moment
from perdure.schemas.feedback import FeedbackAnswer
from perdure.schemas.recipients import Shown


class DeliveryAnswer(Answer):
    """One telling of one recipient about one event of a job."""

    delivery_id: UUID
    job_id: UUID
    run: int
    event: str
    channel: str
    provider: str
    recipient: Shown = Field(description="masked")
    status: DeliveryStatus
    reason: str | None = Field(description="why it was skipped or given up")
    attempts: int
    next_attempt_at: Moment | None
    provider_message_id: str | None
    created_at: Moment
    finished_at: Moment | None
    resend_of: UUID | None = Field(description="the first delivery of its chain, where it is sent again")
    subscription: str | None = Field(description="the subscription that asked for it; null: the job itself did")
    last_error: str | None = Field(None, description="what the last of its tries that failed came to")
    circuit: CircuitState | None = Field(
        None, description="while its destination holds it up: the state of that circuit"
    )
    held_until: Moment | None = Field(None, description="nothing is sent there before; given with `circuit`")

    @computed_field(description="why it stands so, and what to do about it, in one line")  # type: ignore[prop-decorator]
    @property
    def explanation(self) -> str:
        return explained(self)


class TryAnswer(Answer):
    """One try of a delivery."""

    number: int
    started_at: Moment
    duration_ms: int
    provider: str
    verdict: Verdict
    status_code: int | None
    error_type: str | None
    message: str | None
    provider_message_id: str | None
    response_excerpt: str | None


class DeliveryDetail(DeliveryAnswer):
    tries: list[TryAnswer]
    feedback: list[FeedbackAnswer] = Field(description="what was said of it after it was sent, as it happened")


class DeliveryList(Answer):
    items: list[DeliveryAnswer]
    next_cursor: str | None
