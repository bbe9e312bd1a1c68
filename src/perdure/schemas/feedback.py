"""Feedback on the wire."""

from __future__ import annotations

from pydantic import Field

from perdure.models.feedback import FeedbackKind
from perdure.schemas.base import Answer, Moment


class FeedbackAnswer(Answer):
    """What was said of a message after it was sent."""

    provider: str = Field(description='who said it; "recipient": by the link in the mail')
    kind: FeedbackKind
    occurred_at: Moment
    received_at: Moment
    detail: str | None


class FeedbackTaken(Answer):
    """What became of the events that were sent."""

    taken: int = Field(description="events of our deliveries that were not known before")
