"""What changes, told to open pages as it happens: a few lines of server-sent events a second, whatever goes on.

A page needs not each event, but which jobs to draw anew. So a reader of the feed is told a digest, four times a second
at most: the jobs that something happened to, each once, as they are by then. Where these are too many, it is told how
many, and looks anew at what it shows.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Header, Query, Request
from fastapi.responses import Response, StreamingResponse

from perdure.core.streaming import Reader
from perdure.dashboard.parts import FeedPart
from perdure.dashboard.routing import pages_router
from perdure.dashboard.viewing import PageFor, viewing
from perdure.errors import Forbidden, Unauthenticated, Unavailable
from perdure.models.api_key import Scope
from perdure.schemas.stream import Form, StreamQuery

HEARTBEAT_SECONDS = 15.0
KEY_SECONDS = 15.0
"""So often it is asked whether the viewer's key still lives."""
RETRY = b"retry: 2000\n"
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

router = pages_router()


async def _reader(
    feed: FeedPart, query: Annotated[StreamQuery, Query()], last_event_id: Annotated[str | None, Header()] = None
) -> AsyncIterator[Reader]:
    async with feed.reading(query.filter, last_event_id, Form.DIGEST) as reader:
        yield reader


@router.get("/changes", dependencies=[viewing()])
async def changes(request: Request, feed: FeedPart, reader: Annotated[Reader, Depends(_reader)]) -> Response:
    async def body() -> AsyncIterator[bytes]:
        yield RETRY
        checked_at = time.monotonic()
        while (chunk := await reader.next(HEARTBEAT_SECONDS)) is not None:
            yield chunk or b": nothing new\n" + feed.position + b"\n"
            if time.monotonic() - checked_at >= KEY_SECONDS:
                if not await _may_still_look(request):
                    return
                checked_at = time.monotonic()

    return StreamingResponse(body(), media_type="text/event-stream", headers=HEADERS)


async def _may_still_look(request: Request) -> bool:
    try:
        await PageFor(Scope.READ)(request)
    except (Unauthenticated, Forbidden):
        return False
    except Unavailable:  # nothing is told meanwhile
        pass
    return True
