"""The API's description of itself: OpenAPI with what FastAPI cannot know, and the reference page made from it."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse

from perdure.models.api_key import Scope
from perdure.routes.authentication import needs_or_signed_in
from perdure.routes.problems import responses
from perdure.routes.reference import render_reference

_REFERENCE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"


def describe(app: FastAPI, channels: dict[str, Any]) -> None:
    """Adds ``/openapi.json`` and ``/docs`` to ``app``; ``channels`` are the options of each notification channel."""
    made_by_fastapi = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = made_by_fastapi()
            document["components"]["schemas"].update(_hoisted_definitions(document))
            _describe_channels(document, channels)
            _describe_refusals(document)
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]

    @app.get("/openapi.json", dependencies=[needs_or_signed_in(Scope.READ)], include_in_schema=False)
    async def description() -> JSONResponse:
        return JSONResponse(app.openapi())

    @cache
    def page() -> str:
        return render_reference(app.openapi())

    @app.get("/docs", dependencies=[needs_or_signed_in(Scope.READ)], include_in_schema=False)
    async def reference() -> HTMLResponse:
        return HTMLResponse(page(), headers={"Content-Security-Policy": _REFERENCE_POLICY})


def _hoisted_definitions(document: dict[str, Any]) -> dict[str, Any]:
    """Takes the definitions out of request bodies' own schemas, to where their references point."""
    hoisted: dict[str, Any] = {}
    for path in document["paths"].values():
        for operation in path.values():
            content = operation.get("requestBody", {}).get("content", {})
            hoisted |= content.get("application/json", {}).get("schema", {}).pop("$defs", {})
    return hoisted


def _describe_channels(document: dict[str, Any], channels: dict[str, Any]) -> None:
    """Shows each channel's options, as its provider declares them, in the place of "any mapping"."""
    schema = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    schema["properties"]["notifications"] = {
        "anyOf": [
            {
                "title": "Notifications",
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    channel: {"anyOf": [options, {"type": "null"}]} for channel, options in channels.items()
                },
            },
            {"type": "null"},
        ],
        "description": "whom to tell, per channel; kept as sent",
    }


def _describe_refusals(document: dict[str, Any]) -> None:
    """Every operation that asks for a key can refuse."""
    refusals = {
        str(status): {name: one[name] for name in ("description", "content")}
        for status, one in responses(401, 403).items()
    }
    for path in document["paths"].values():
        for operation in path.values():
            if "security" in operation:
                answers = operation["responses"] | refusals
                operation["responses"] = {status: answers[status] for status in sorted(answers)}
