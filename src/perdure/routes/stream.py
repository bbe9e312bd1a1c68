"""What happens, as it happens: server-sent events, for pages and programs that want to be told rather than to ask."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse

from perdure.core.streaming import Feed, Reader
from perdure.errors import Forbidden, Unauthenticated, Unavailable
from perdure.models.api_key import Scope
from perdure.routes.authentication import KeyWith, needs
from perdure.routes.problems import responses
from perdure.schemas.stream import StreamEventAnswer, StreamQuery

HEARTBEAT_SECONDS = 15.0
"""After so long without an event a comment is sent, lest somebody on the way think the connection dead."""
KEY_SECONDS = 15.0
"""So often it is asked whether the reader's key still lives."""
RETRY = b"retry: 2000\n"
"""Milliseconds after which a browser connects again."""
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

router = APIRouter(tags=["operations"])


class EventStream(StreamingResponse):
    """Server-sent events that are encoded already, many in a piece: FastAPI's own would do each for each reader."""

    media_type = "text/event-stream"


def _feed(request: Request) -> Feed:
    return request.app.state.feed  # type: ignore[no-any-return]


FeedPart = Annotated[Feed, Depends(_feed)]


async def _reader(
    feed: FeedPart,
    query: Annotated[StreamQuery, Query()],
    last_event_id: Annotated[str | None, Header(description="the last id received: what came after it is sent")] = None,
) -> AsyncIterator[Reader]:
    async with feed.reading(query.filter, last_event_id) as reader:
        yield reader


@router.get(
    "/v1/stream",
    dependencies=[needs(Scope.READ)],
    summary="Be told what happens",
    response_class=EventStream,
    responses=responses(422, 503)
    | {
        200: {
            "model": StreamEventAnswer,
            "description": "Events, each with such an object as its `data`",
            "content": {EventStream.media_type: {"schema": {"type": "object"}}},  # not the text that FastAPI supposes
        }
    },
)
async def stream(request: Request, feed: FeedPart, reader: Annotated[Reader, Depends(_reader)]) -> EventStream:
    """Server-sent events, several times a second at most. A step that a job's timeline records is told once, or again
    after a reconnection; none is left out. Send the last `id` as `Last-Event-ID` to go on where a connection broke.

    The event `reset` says that something could not be told: the reader was too slow, or came back too late. Look anew.
    """
    return EventStream(_body(request, feed, reader), headers=HEADERS)


async def _body(request: Request, feed: Feed, reader: Reader) -> AsyncIterator[bytes]:
    yield RETRY
    checked_at = time.monotonic()
    while (chunk := await reader.next(HEARTBEAT_SECONDS)) is not None:
        yield chunk or b": nothing new\n" + feed.position + b"\n"
        if time.monotonic() - checked_at >= KEY_SECONDS:
            if not await _may_still_read(request):
                return
            checked_at = time.monotonic()


async def _may_still_read(request: Request) -> bool:
    try:
        await KeyWith(Scope.READ)(request)
    except (Unauthenticated, Forbidden):
        return False
    except Unavailable:  # nothing is told meanwhile
        pass
    return True
