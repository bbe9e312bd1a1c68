"""Errors as RFC 9457 problem documents. The one place where errors get their HTTP status."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from perdure import errors
from perdure.schemas.problem import Problem
from perdure.schemas.reading import field_problems

MEDIA_TYPE = "application/problem+json"

STATUS: Mapping[type[errors.PerdureError], int] = {
    errors.InvalidInput: 422,
    errors.BodyTooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.RangeNotSatisfiable: 416,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Unavailable: 503,
    errors.PerdureError: 500,
}
"""The status of an error and of every error below it that names none of its own."""

_HEADERS: Mapping[int, Mapping[str, str]] = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}
CLIENT_GONE = 499
"""The status that other servers note for it; HTTP itself has none."""
_HTTP_CODES = {404: "no_such_route", 405: "method_not_allowed"}


def status_of(kind: type[errors.PerdureError]) -> int:
    return next(STATUS[parent] for parent in kind.__mro__ if parent in STATUS)


def install(app: FastAPI) -> None:
    """Answers every error of ``app`` as a problem document."""
    app.add_exception_handler(errors.PerdureError, _expected)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _parameters_refused)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _http)  # type: ignore[arg-type]
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI description of the problems that a route can answer."""
    return {
        status: {
            "model": Problem,
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def document(error: errors.PerdureError) -> dict[str, Any]:
    """The problem document of an error."""
    return _document(status_of(type(error)), error.code, error.detail) | error.extensions()


def _document(status: int, code: str, detail: str) -> dict[str, Any]:
    title = HTTPStatus(status).phrase
    return {"type": f"urn:perdure:problem:{code}", "title": title, "status": status, "detail": detail, "code": code}


def _answer(body: dict[str, Any], headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(body, status_code=body["status"], media_type=MEDIA_TYPE, headers=dict(headers or {}))


def answer_of(error: errors.PerdureError) -> JSONResponse:
    """What an error is answered with."""
    status = status_of(type(error))
    headers = dict(_HEADERS.get(status, {}))
    if isinstance(error, errors.RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.size_bytes}"
    return _answer(document(error), headers)


def note_unexpected(method: str, path: str, error: Exception) -> None:
    """Logs an error that nobody expected."""
    structlog.get_logger("perdure").error("request.failed", method=method, path=path, exc_info=error)


def answer_of_unexpected(method: str, path: str, error: Exception) -> JSONResponse:
    """What is answered where we are at fault. The cause is logged."""
    note_unexpected(method, path, error)
    return _answer(_document(500, "internal_error", "Something went wrong here; the server's log has the cause."))


async def _expected(_request: Request, error: errors.PerdureError) -> JSONResponse:
    return answer_of(error)


async def _parameters_refused(_request: Request, error: RequestValidationError) -> JSONResponse:
    return answer_of(errors.ValidationFailed(field_problems(error, skip=1)))


async def _http(_request: Request, error: HTTPException) -> JSONResponse:
    code = _HTTP_CODES.get(error.status_code, "http_error")
    return _answer(_document(error.status_code, code, str(error.detail)), error.headers)


async def _gone(_request: Request, _error: Exception) -> Response:
    """The client hung up before it had sent everything: no mistake of ours, and nobody is there to read this."""
    return Response(status_code=CLIENT_GONE)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    return answer_of_unexpected(request.method, request.url.path, error)
