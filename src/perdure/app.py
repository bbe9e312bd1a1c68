"""The application: FastAPI over the platform's parts, and the process that serves it."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

import perdure
from perdure.bootstrap import LOCAL_INBOX_KEY, LocalInbox, Platform, opened_platform, uses_local_inbox
from perdure.core.waiting import FinishedJobs
from perdure.errors import ConfigurationError
from perdure.routes import deliveries, files, inbox, jobs, operations, problems
from perdure.routes.reference import render_reference
from perdure.settings import Settings
from perdure.telemetry import logs
from perdure.workers.stopping import stop_signals

GRACEFUL_SHUTDOWN_SECONDS = 5
"""How long requests under way may take once the server stops."""
STALE_UPLOAD_SECONDS = 86_400
"""An upload not written to for a day was left by a server that crashed; the next start removes it."""

_REFERENCE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"


def create_app(platform: Platform, finished_jobs: FinishedJobs, *, with_inbox: bool) -> FastAPI:
    """The HTTP side of ``platform``."""
    app = FastAPI(
        title="Perdure",
        summary="Resilient Async Job Processing Platform",
        version=perdure.__version__,
        docs_url=None,
        redoc_url=None,
    )
    app.state.commands = platform.commands
    app.state.database = platform.database
    app.state.finished_jobs = finished_jobs
    app.state.files = platform.files
    app.state.max_body_bytes = platform.settings.max_body_bytes
    app.state.local_inbox_key = LOCAL_INBOX_KEY
    problems.install(app)
    for module in (jobs, deliveries, files, operations, *((inbox,) if with_inbox else ())):
        app.include_router(module.router)
    _document(app, platform)
    return app


def _document(app: FastAPI, platform: Platform) -> None:
    """OpenAPI with the request bodies that routes read themselves, and the reference page made from it."""
    made_by_fastapi = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = made_by_fastapi()
            document["components"]["schemas"].update(_hoisted_definitions(document))
            _describe_channels(document, platform.providers.describe())
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]

    @cache
    def page() -> str:
        return render_reference(app.openapi())

    @app.get("/docs", include_in_schema=False)
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


async def serve(
    settings: Settings, *, run_worker: bool, with_inbox: bool, ready: Callable[[str], None] = lambda _url: None
) -> None:
    """Serves until told to stop (SIGINT, SIGTERM); calls ``ready`` with the server's URL once it answers.

    ``run_worker`` adds a worker to the process, ``with_inbox`` the local inbox (`perdure dev` has both).
    """
    _refuse_open_bind(settings)
    logs.configure(settings.log_format, settings.log_level)
    with _bound(settings) as listening:
        url = _url(settings, listening)
        local_inbox = LocalInbox(url) if with_inbox and uses_local_inbox(settings) else None
        async with (
            opened_platform(settings, local_inbox=local_inbox) as platform,
            platform.runtime(run_worker=run_worker).running(),
            _finished_jobs(platform) as finished_jobs,
        ):
            await platform.files.sweep_temporary(older_than_seconds=STALE_UPLOAD_SECONDS)
            app = create_app(platform, finished_jobs, with_inbox=local_inbox is not None)
            await _serve_until_stopped(app, listening, lambda: ready(url))


@asynccontextmanager
async def _finished_jobs(platform: Platform) -> AsyncIterator[FinishedJobs]:
    finished = FinishedJobs(platform.database, platform.wakeup)
    task = asyncio.create_task(finished.run())
    try:
        yield finished
    finally:
        task.cancel()


class _Server(uvicorn.Server):
    """uvicorn without its signal handling: it would end the process before the loops have drained."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve_until_stopped(app: FastAPI, listening: socket.socket, ready: Callable[[], None]) -> None:
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_SECONDS
    )
    server = _Server(config)

    def stop() -> None:
        server.should_exit = True

    with stop_signals(stop):
        ready()
        await server.serve(sockets=[listening])


@contextmanager
def _bound(settings: Settings) -> Iterator[socket.socket]:
    """The listening socket. Bound first, so that its port is known to whoever needs the server's URL."""
    try:
        listening = socket.create_server((settings.host, settings.port), backlog=2048)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {settings.host}:{settings.port} ({error.strerror}). "
            "Stop whatever uses it, or choose another with PERDURE_PORT or --port."
        ) from None
    with listening:
        yield listening


def _url(settings: Settings, listening: socket.socket) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{listening.getsockname()[1]}"


def _refuse_open_bind(settings: Settings) -> None:
    """Nothing but this machine may reach a server that asks for no key."""
    if settings.host == "localhost":
        return
    try:
        loopback = ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigurationError(
            "PERDURE_HOST must be a loopback address (127.0.0.1, ::1 or localhost): the server asks for no key, so "
            "nobody else may reach it."
        )
