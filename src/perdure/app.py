"""The application: FastAPI over the platform's parts, and the process that serves it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from urllib.parse import urlsplit

import structlog
import uvicorn
from fastapi import FastAPI

import perdure
from perdure import dashboard
from perdure.bootstrap import Platform, opened_platform
from perdure.core.api_keys import ApiKeys
from perdure.core.authentication import Authentication
from perdure.core.endpoint_commands import EndpointCommands
from perdure.core.loopback import is_loopback
from perdure.core.measuring import Measuring
from perdure.core.provider_commands import ProviderCommands
from perdure.core.queue_commands import QueueCommands
from perdure.core.streaming import Feed
from perdure.core.waiting import FinishedJobs
from perdure.errors import ConfigurationError, Unavailable
from perdure.foundation import spare_what_is_loaded
from perdure.provided import LOCAL_INBOX_KEY, LocalInbox, uses_local_inbox
from perdure.routes import (
    bulk,
    deliveries,
    feedback,
    files,
    health,
    inbox,
    job_actions,
    job_records,
    jobs,
    notifications,
    operations,
    problems,
    providers,
    queues,
    schedules,
    stream,
    subscriptions,
    suppressions,
    unsubscribing,
    webhook_endpoints,
)
from perdure.routes.description import describe
from perdure.routes.short_protocol import ShortWayProtocol
from perdure.routes.short_way import WithShortWay
from perdure.settings import Settings
from perdure.telemetry import logs
from perdure.telemetry.metrics import Metrics
from perdure.workers.lease_page import LeasePage
from perdure.workers.stopping import stopping

Ready = Callable[[str, bool], None]
"""Told, once a server answers: its URL, and whether requests need a key."""
LOOPBACK = "127.0.0.1"
GRACEFUL_SHUTDOWN_SECONDS = 5
"""How long requests under way may take once the server stops."""
LAST_LOOK_SECONDS = 1.0
"""How long what the streams ask of the database may take by then."""


def create_app(platform: Platform, finished_jobs: FinishedJobs, *, with_inbox: bool) -> FastAPI:
    """The HTTP side of ``platform``."""
    app = _bare_app(platform, WithShortWay)
    app.state.commands = platform.commands
    app.state.delivery_commands = platform.delivery_commands
    app.state.bulk = platform.bulk
    app.state.job_actions = platform.job_actions
    app.state.finished_jobs = finished_jobs
    app.state.file_commands = platform.file_commands
    app.state.queue_commands = QueueCommands(platform.database, platform.wakeup, platform.signals)
    app.state.provider_commands = ProviderCommands(
        platform.database, platform.providers, platform.wakeup, platform.signals
    )
    app.state.schedule_commands = platform.schedule_commands
    app.state.subscription_commands = platform.subscription_commands
    app.state.feedback_taking = platform.feedback_taking
    app.state.mailtrap_feedback = platform.mailtrap_feedback
    app.state.suppression_commands = platform.suppression_commands
    app.state.unsubscribe_links = platform.unsubscribe_links
    app.state.endpoint_commands = EndpointCommands(
        platform.database, platform.providers, platform.wakeup, platform.signals
    )
    app.state.feed = Feed(platform.database, platform.wakeup)
    app.state.renderer = platform.renderer
    app.state.max_body_bytes = platform.settings.max_body_bytes
    app.state.local_inbox_key = LOCAL_INBOX_KEY
    of_jobs = (job_actions, bulk, jobs, job_records)  # in this order: a job's id is none of their names
    of_telling = (subscriptions, webhook_endpoints, deliveries, notifications, providers)
    of_notifications = (*of_telling, feedback, suppressions, unsubscribing)
    others = (schedules, *of_notifications, files, operations, queues, stream, health)
    for module in (*of_jobs, *others, *((inbox,) if with_inbox else ())):
        app.include_router(module.router)
    describe(app, platform.providers.describe())
    is_public_encrypted = (platform.settings.public_url or "").startswith("https:")
    dashboard.install(
        app,
        status_of=problems.status_of,
        note_unexpected=problems.note_unexpected,
        is_public_encrypted=is_public_encrypted,
        with_inbox=with_inbox,
    )
    return app


def create_monitor(platform: Platform) -> FastAPI:
    """What a worker answers to those who watch it: health and metrics."""
    app = _bare_app(platform)
    app.include_router(health.router)
    return app


def _bare_app(platform: Platform, kind: type[FastAPI] = FastAPI) -> FastAPI:
    """What every process that answers HTTP has; it counts for its metrics from now on."""
    app = kind(
        title="Perdure",
        summary="Resilient Async Job Processing Platform",
        version=perdure.__version__,
        openapi_url=None,  # ours ask for a key
        docs_url=None,
        redoc_url=None,
    )
    app.state.database = platform.database
    app.state.authentication = Authentication(platform.database)
    app.state.public_host = urlsplit(platform.settings.public_url or "").hostname
    app.state.measuring = Measuring(platform.database)
    app.state.metrics = Metrics()
    app.state.metrics.subscribe(platform.signals)
    problems.install(app)
    return app


async def serve(
    settings: Settings, *, run_worker: bool, with_inbox: bool, ready: Ready = lambda _url, _asks_for_keys: None
) -> None:
    """Serves until told to stop (SIGINT, SIGTERM); calls ``ready`` with the server's URL once it answers.

    ``run_worker`` adds a worker to the process, ``with_inbox`` the local inbox (`perdure dev` has both).
    """
    logs.configure(settings.log_format, settings.log_level)
    with ExitStack() as opened:
        sockets = [opened.enter_context(_bound(settings.host, settings.port))]
        url = _url(settings.host, sockets[0])
        local_inbox = None
        if with_inbox and uses_local_inbox(settings):
            if not is_loopback(settings.host):  # the notifier reaches the inbox without leaving the machine
                sockets.append(opened.enter_context(_bound(LOOPBACK, 0)))
            local_inbox = LocalInbox(url if len(sockets) == 1 else _url(LOOPBACK, sockets[1]))
        async with opened_platform(settings, local_inbox=local_inbox) as platform:
            asks_for_keys = await _prepare_keys(platform)
            with suppress(Unavailable):  # this server may do without files; uploads and downloads say what is wrong
                await platform.file_commands.establish()
            async with _finished_jobs(platform) as finished_jobs:
                app = create_app(platform, finished_jobs, with_inbox=local_inbox is not None)
                server = HttpServer(app)
                with stopping(server.stop, has_parent=False) as at_once:
                    runtime = platform.runtime(run_worker=run_worker)
                    async with feeding(app, server), runtime.running(at_once):
                        spare_what_is_loaded()
                        ready(url, asks_for_keys)
                        await server.serve(sockets=sockets)


async def work_watched(
    settings: Settings, metrics_port: int, lease_page: LeasePage, ready: Callable[[str], None]
) -> None:
    """Runs a worker like ``bootstrap.work`` that can be watched over HTTP; ``ready`` is told the URL of its metrics."""
    logs.configure(settings.log_format, settings.log_level)
    with _bound(settings.host, metrics_port, "PERDURE_METRICS_PORT or --metrics-port") as listening:
        url = f"{_url(settings.host, listening)}/metrics"
        async with opened_platform(settings) as platform:
            await _prepare_keys(platform)
            server = HttpServer(create_monitor(platform))
            # Before it claims: a job that is given back costs no attempt.
            with stopping(server.stop, has_parent=True) as at_once:
                async with platform.runtime(run_worker=True, lease_page=lease_page).running(at_once):
                    ready(url)
                    await server.serve(sockets=[listening])


async def _prepare_keys(platform: Platform) -> bool:
    """Makes the bootstrap key where it is due, and returns whether requests need a key by now.

    Nothing but this machine may reach a server that asks for no key.
    """
    settings, keys = platform.settings, ApiKeys(platform.database)
    if settings.bootstrap_key is not None:
        await keys.bootstrap(settings.bootstrap_key.get_secret_value())
    asks_for_keys = await keys.any_was_made()
    if not asks_for_keys and not is_loopback(settings.host):
        raise ConfigurationError(
            f"PERDURE_HOST {settings.host} lets other machines in, and there is no API key yet to ask them for. Make "
            "one with `perdure keys create NAME --scope admin` (with the same PERDURE_DATABASE_URL or "
            "PERDURE_DATA_DIR), or set PERDURE_BOOTSTRAP_KEY to what `perdure keys generate` prints."
        )
    return asks_for_keys


@asynccontextmanager
async def _finished_jobs(platform: Platform) -> AsyncIterator[FinishedJobs]:
    finished = FinishedJobs(platform.database, platform.wakeup)
    task = asyncio.create_task(finished.run())
    try:
        yield finished
    finally:
        task.cancel()


@asynccontextmanager
async def feeding(app: FastAPI, server: HttpServer) -> AsyncIterator[None]:
    """Lets the streams of ``app`` be read while the block lasts, and ends them as soon as ``server`` is to stop."""
    feed: Feed = app.state.feed
    server.when_stopped = feed.close
    task = asyncio.create_task(feed.run())
    task.add_done_callback(_say_how_it_ended)
    try:
        yield
    finally:
        feed.close()
        await asyncio.wait([task], timeout=LAST_LOOK_SECONDS)
        task.cancel()


def _say_how_it_ended(feed: asyncio.Task[None]) -> None:
    """A feed that dies of a bug tells nobody anything any more: whoever operates the server must hear of it."""
    if not feed.cancelled() and (error := feed.exception()) is not None:
        structlog.get_logger("perdure").error("stream.failed", exc_info=error)


class HttpServer(uvicorn.Server):
    """uvicorn without its signal handling: it would end the process before the loops have drained."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=ShortWayProtocol,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_SECONDS,
            )
        )

        self.when_stopped: Callable[[], None] = lambda: None

    def stop(self) -> None:
        """Lets requests under way end for a while; called again, it does not."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self.when_stopped()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def _bound(host: str, port: int, chosen_with: str = "PERDURE_PORT or --port") -> Iterator[socket.socket]:
    """The listening socket. Bound first, so that its port is known to whoever needs the server's URL."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {host}:{port} ({error.strerror}). "
            f"Stop whatever uses it, or choose another with {chosen_with}."
        ) from None
    with listening:
        yield listening


def _url(host: str, listening: socket.socket) -> str:
    """Where the server is reached from here; an address that stands for every one of the machine's is none to go to."""
    reachable = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104 (compared, not bound)
    shown_host = f"[{reachable}]" if ":" in reachable else reachable
    return f"http://{shown_host}:{listening.getsockname()[1]}"
