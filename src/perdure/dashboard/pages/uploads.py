"""Files that a form sends ahead of its job: the bytes as they are, so that the browser can say how far they are."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import JSONResponse, Response

from perdure.dashboard.parts import FileCommandsPart
from perdure.dashboard.routing import pages_router
from perdure.dashboard.viewing import acting
from perdure.errors import PerdureError
from perdure.models.api_key import Scope
from perdure.models.file import MAX_NAME, NAME_PATTERN, media_type

router = pages_router()


@router.post("/files", dependencies=[acting(Scope.SUBMIT)])
async def upload(
    request: Request,
    files: FileCommandsPart,
    name: Annotated[str, Query(min_length=1, max_length=MAX_NAME, pattern=NAME_PATTERN)] = "upload",
) -> Response:
    """Stores the body and answers its id, for the field that asked for the file."""
    try:
        file = await files.upload(
            request.stream(),
            name=name,
            content_type=media_type(request.headers.get("content-type", "")),
            expected={},
        )
    except PerdureError as error:
        return JSONResponse({"detail": error.detail}, request.app.state.status_of(type(error)))
    return JSONResponse({"file_id": str(file.file_id), "name": file.name, "size_bytes": file.size_bytes}, 201)
