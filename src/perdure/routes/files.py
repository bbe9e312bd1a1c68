"""Files over HTTP: raw bytes in and out, streamed, whatever their size."""

from __future__ import annotations

import re
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi import Request as HttpRequest
from fastapi.responses import FileResponse
from pydantic import Field
from uuid_utils.compat import uuid7

from perdure.errors import NotFound
from perdure.models.api_key import Scope
from perdure.repositories.file_repository import FileRepository
from perdure.routes.authentication import needs
from perdure.routes.dependencies import DatabasePart, FilesPart, Reading
from perdure.routes.problems import responses
from perdure.schemas.base import Request
from perdure.schemas.file import FileAnswer

router = APIRouter(prefix="/v1/files", tags=["files"])

_MEDIA_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}", re.ASCII)
_ANY_BYTES = "application/octet-stream"


class UploadQuery(Request):
    name: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f/\\]+$")] = Field(
        "upload", description="what people call the file"
    )


@router.post(
    "",
    dependencies=[needs(Scope.SUBMIT)],
    status_code=201,
    summary="Upload a file",
    openapi_extra={
        "requestBody": {"required": True, "content": {_ANY_BYTES: {"schema": {"type": "string", "format": "binary"}}}}
    },
    responses=responses(422, 503),
)
async def upload(
    request: HttpRequest,
    response: Response,
    database: DatabasePart,
    files: FilesPart,
    query: Annotated[UploadQuery, Query()],
) -> FileAnswer:
    """The body is the file. A payload names it by the `file_id` answered."""
    file_id = uuid7()
    stored = await files.write(file_id, request.stream())
    row = FileAnswer(
        file_id=file_id,
        name=query.name,
        content_type=_media_type(request),
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
        created_at=database.clock.now(),
    )
    try:
        async with database.transaction() as connection:
            await FileRepository(connection).add(row.model_dump())
    except BaseException:  # nobody would ever know of the file
        await files.delete(file_id)
        raise
    response.headers["Location"] = f"/v1/files/{file_id}"
    return row


@router.get(
    "/{file_id}",
    dependencies=[needs(Scope.READ)],
    summary="Download a file",
    response_class=FileResponse,
    responses={200: {"content": {_ANY_BYTES: {}}}, 206: {"description": "Partial Content"}, **responses(404, 422, 503)},
)
async def download(file_id: UUID, connection: Reading, files: FilesPart) -> FileResponse:
    """The bytes as they were uploaded; `Range` is honoured."""
    row = await FileRepository(connection).get(file_id)
    path = files.path(file_id)
    if row is None or not path.is_file():
        raise NotFound("There is no file with this id.")
    return FileResponse(
        path,
        media_type=row["content_type"],
        filename=row["name"],
        headers={"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"},
    )


def _media_type(request: HttpRequest) -> str:
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return sent if _MEDIA_TYPE.fullmatch(sent) else _ANY_BYTES
