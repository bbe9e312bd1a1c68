"""Files over HTTP: raw bytes in and out, streamed, whatever their size, with digests (RFC 9530) and ranges."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi import Request as HttpRequest
from fastapi.responses import FileResponse
from pydantic import Field
from starlette.responses import MalformedRangeHeader
from starlette.responses import RangeNotSatisfiable as NoSuchRange

from perdure.errors import FieldProblem, RangeNotSatisfiable, ValidationFailed
from perdure.models.api_key import Scope
from perdure.models.file import ANY_BYTES, MAX_NAME, NAME_PATTERN, media_type
from perdure.routes.authentication import needs
from perdure.routes.dependencies import FileCommandsPart
from perdure.routes.problems import responses
from perdure.schemas.base import Request
from perdure.schemas.digest import read_digest, write_digest
from perdure.schemas.file import FileAnswer

router = APIRouter(prefix="/v1/files", tags=["files"])

_DIGEST_FIELDS = ("Content-Digest", "Repr-Digest")
_HARMLESS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"}
"""A file is what somebody uploaded: no browser may run it in our name."""


class UploadQuery(Request):
    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME, pattern=NAME_PATTERN)] = Field(
        "upload", description="what people call the file"
    )


@router.post(
    "",
    dependencies=[needs(Scope.SUBMIT)],
    status_code=201,
    summary="Upload a file",
    openapi_extra={
        "requestBody": {"required": True, "content": {ANY_BYTES: {"schema": {"type": "string", "format": "binary"}}}}
    },
    responses=responses(422, 503),
)
async def upload(
    request: HttpRequest, response: Response, files: FileCommandsPart, query: Annotated[UploadQuery, Query()]
) -> FileAnswer:
    """The body is the file. A payload names it by the `file_id` answered.

    Send `Content-Digest: sha-256=:…:` to have what arrives compared with it: if it differs, nothing is kept.
    """
    file = await files.upload(
        request.stream(),
        name=query.name,
        content_type=media_type(request.headers.get("content-type", "")),
        expected=_expected_digests(request),
    )
    response.headers["Location"] = f"/v1/files/{file.file_id}"
    return FileAnswer.model_validate(file)


@router.head("/{file_id}", dependencies=[needs(Scope.READ)], include_in_schema=False)
@router.get(
    "/{file_id}",
    dependencies=[needs(Scope.READ)],
    summary="Download a file",
    response_class=FileResponse,
    responses={
        200: {"content": {ANY_BYTES: {}}},
        206: {"description": "Partial Content"},
        304: {"description": "Not Modified"},
        **responses(404, 416, 422, 503),
    },
)
async def download(file_id: UUID, request: HttpRequest, files: FileCommandsPart) -> Response:
    """The bytes as they were uploaded, and their `Repr-Digest`. `Range`, `If-Range`, `If-None-Match` are honoured."""
    file, path = await files.find(file_id)
    entity_tag = f'"{file.sha256}"'
    if _is_known(entity_tag, request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers={"ETag": entity_tag})
    headers = {"ETag": entity_tag, "Repr-Digest": write_digest(file.sha256)} | _HARMLESS
    return _Download(path, media_type=file.content_type, filename=file.name, headers=headers)


@router.delete(
    "/{file_id}",
    dependencies=[needs(Scope.OPERATE)],
    status_code=204,
    summary="Delete a file",
    responses=responses(404, 409, 422, 503),
)
async def delete(file_id: UUID, files: FileCommandsPart) -> None:
    """For good. Refused while a job that is not final names the file."""
    await files.delete(file_id)


class _Download(FileResponse):
    """Refuses a range in our own words; one that is none is passed over, as RFC 9110 would have it."""

    @classmethod
    def _parse_range_header(cls, http_range: str, file_size: int) -> list[tuple[int, int]]:
        try:
            return super()._parse_range_header(http_range, file_size)
        except MalformedRangeHeader:
            return []
        except NoSuchRange as error:
            raise RangeNotSatisfiable(error.max_size) from None


def _expected_digests(request: HttpRequest) -> dict[str, str]:
    """The SHA-256 in hex that the sender gave, by the field that gave it."""
    expected, problems = {}, []
    for field in _DIGEST_FIELDS:
        try:
            sha256 = read_digest(", ".join(request.headers.getlist(field)))
        except ValueError as error:
            problems.append(FieldProblem(field, str(error), "malformed_digest"))
        else:
            if sha256 is not None:
                expected[field] = sha256
    if problems:
        raise ValidationFailed(problems)
    return expected


def _is_known(entity_tag: str, if_none_match: str) -> bool:
    return entity_tag in {one.strip().removeprefix("W/") for one in if_none_match.split(",")} or if_none_match == "*"
