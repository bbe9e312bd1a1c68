"""The local inbox: Mailtrap's sandbox API, answered by the platform itself, in `perdure dev` and the demo only.

So the real provider runs with no account and no network, and the mails can be looked at. Only the provider of this
very process knows the key.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse
from pydantic import Field
from uuid_utils.compat import uuid7

from perdure.models.api_key import Scope
from perdure.repositories.inbox_repository import InboxRepository
from perdure.routes.authentication import needs_unless_local, open_to_all
from perdure.routes.dependencies import DatabasePart, Reading
from perdure.routes.problems import responses
from perdure.schemas import strict_json
from perdure.schemas.base import Answer, Moment, Request

router = APIRouter(tags=["local inbox"])

MAX_MAIL_BYTES = 10_485_760
"""As large as Mailtrap takes them."""


class MailAnswer(Answer):
    """A mail as it was caught: `mail` is the body that Mailtrap's API takes."""

    message_id: UUID
    inbox_id: str
    received_at: Moment
    mail: dict[str, Any]


class MailList(Answer):
    items: list[MailAnswer]
    next_cursor: None = None


class InboxQuery(Request):
    limit: Annotated[int, Field(ge=1, le=200)] = Field(50, description="how many")


@router.post("/api/send/{inbox_id}", dependencies=[open_to_all()], include_in_schema=False)
async def catch(inbox_id: str, request: HttpRequest, database: DatabasePart) -> JSONResponse:
    """Answers as Mailtrap's sandbox does."""
    if request.headers.get("authorization") != f"Bearer {request.app.state.local_inbox_key}":
        return JSONResponse({"success": False, "errors": ["Unauthorized"]}, status_code=401)
    body = await request.body()
    mail = strict_json.decode(body) if len(body) <= MAX_MAIL_BYTES else None
    if not isinstance(mail, dict) or not mail.get("to"):
        return JSONResponse({"success": False, "errors": ["'to' address is required"]}, status_code=400)
    message_id = uuid7()
    async with database.transaction() as connection:
        await InboxRepository(connection).add(
            {"message_id": message_id, "inbox_id": inbox_id, "received_at": database.clock.now(), "mail": mail}
        )
    return JSONResponse({"success": True, "message_ids": [str(message_id)]})


@router.get(
    "/v1/inbox",
    dependencies=[needs_unless_local(Scope.READ)],
    summary="Mails in the local inbox, newest first",
    responses=responses(422, 503),
)
async def inbox(connection: Reading, query: Annotated[InboxQuery, Query()]) -> MailList:
    """In `perdure dev` and the demo only; callers from the same machine need no key."""
    rows = await InboxRepository(connection).newest(query.limit)
    return MailList(items=[MailAnswer.model_validate(dict(row)) for row in rows])
