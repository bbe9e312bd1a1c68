"""What providers say of our messages after they were sent: read, keep, answer 200."""

from __future__ import annotations

from fastapi import APIRouter, Request

from perdure.core.feedback import FeedbackTaking
from perdure.core.notifications.providers.mailtrap_feedback import SIGNATURE_HEADER, MailtrapFeedback
from perdure.routes.authentication import open_to_all
from perdure.routes.dependencies import DatabasePart, limited_body
from perdure.routes.problems import responses
from perdure.schemas.feedback import FeedbackTaken

router = APIRouter(prefix="/v1/feedback", tags=["deliveries"])

MAX_BYTES = 4_194_304
"""Mailtrap sends up to 500 events at a time, of some hundred bytes to a few thousand each."""
_EVENTS = {"type": "object", "description": '`{"events": […]}`, or an event a line'}


@router.post(
    "/mailtrap",
    dependencies=[open_to_all()],
    summary="Take in Mailtrap's delivery events",
    openapi_extra={
        "parameters": [
            {
                "name": SIGNATURE_HEADER,
                "in": "header",
                "required": False,
                "schema": {"type": "string"},
                "description": "HMAC-SHA256 of the body by the webhook's secret, in hexadecimal",
            }
        ],
        "requestBody": {
            "required": True,
            "content": {media_type: {"schema": _EVENTS} for media_type in ("application/json", "application/jsonl")},
        },
    },
    responses=responses(403, 404, 413, 422, 503),
)
async def mailtrap(request: Request, database: DatabasePart) -> FeedbackTaken:
    """Where a webhook of Mailtrap leads. It asks for no API key, but for the signature by MAILTRAP_WEBHOOK_SECRET.

    Events may come twice and in any order. Those of mails that others sent with the same account are passed over.
    """
    reader: MailtrapFeedback = request.app.state.mailtrap_feedback
    taking: FeedbackTaking = request.app.state.feedback_taking
    body = await limited_body(request, MAX_BYTES)
    said = reader.read(body, request.headers.get(SIGNATURE_HEADER), database.clock.now())
    return FeedbackTaken(taken=len(await taking.take(said)))
