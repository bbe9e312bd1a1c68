"""``perdure dev``, ``perdure serve`` and ``perdure worker``: the processes of the platform."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.cli.output import ExitCode
from perdure.errors import PerdureError

if TYPE_CHECKING:
    from perdure.settings import Settings
    from perdure.workers.parent import Parent

DataDir = Annotated[
    Path | None, typer.Option(help="Where the embedded database and files lie. [env: PERDURE_DATA_DIR]")
]
DatabaseUrlOption = Annotated[
    str | None, typer.Option("--database-url", help="A PostgreSQL server. [env: PERDURE_DATABASE_URL]")
]
Host = Annotated[str | None, typer.Option(help="Address to listen on. [env: PERDURE_HOST]")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one. [env: PERDURE_PORT]")]
MetricsPort = Annotated[
    int | None,
    typer.Option(help="Port for /metrics and health; with several processes, the first. [env: PERDURE_METRICS_PORT]"),
]
Processors = Annotated[
    str | None, typer.Option(help="Modules with processors, comma separated. [env: PERDURE_PROCESSORS]")
]
Concurrency = Annotated[int | None, typer.Option(help="Attempts at a time. [env: PERDURE_CONCURRENCY]")]
AsJson = Annotated[bool, typer.Option("--json", help="Say that it is ready as a line of JSON.")]

LEAVE_SECONDS = 2.0
"""How long a process may take to close what is of no more use, once all that it ran has been concluded."""

BANNER = """\
Perdure is running at {url}   (Ctrl-C stops it)

  Dashboard       {url}/
  API reference   {url}/docs
  Mails           {mails}

Post a job:

  curl {url}/v1/jobs -H 'content-type: application/json' {key}-d '{{
    "job_type": "demo.sleep", "payload": {{"seconds": 1}},
    "context": {{"email": "you@example.com"}},
    "notifications": {{"email": {{"on": ["SUCCESS", "FAILURE"]}}}}}}'
"""


KEY_HEADER = '-H "authorization: Bearer $PERDURE_API_KEY" '


def register(app: typer.Typer) -> None:
    app.command()(dev)
    app.command()(serve)
    app.command()(worker)


def dev(
    *,
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrlOption = None,
    processors: Processors = None,
    concurrency: Concurrency = None,
    as_json: AsJson = False,
) -> None:
    """Everything in one process: database, API, worker, notifier, and a local inbox for the mails."""
    from perdure import app
    from perdure.provided import uses_local_inbox
    from perdure.workers.stopping import stop_with_parent

    settings = _settings(
        host=host,
        port=port,
        data_dir=data_dir,
        database_url=database_url,
        processors=processors,
        concurrency=concurrency,
    )

    def ready(url: str, asks_for_keys: bool) -> None:  # noqa: FBT001 (``app.Ready``)
        stop_with_parent()
        mails = _mails(settings, f"{url}/inbox" if uses_local_inbox(settings) else None)
        _say_ready(
            BANNER.format(url=url, mails=mails, key=KEY_HEADER if asks_for_keys else ""), {"url": url}, as_json=as_json
        )

    _run(app.serve(settings, run_worker=True, with_inbox=True, ready=ready))


def serve(
    *,
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrlOption = None,
    as_json: AsJson = False,
) -> None:
    """The API, with notifier, promoter, scheduler and sweeper. Any number of them, on any number of machines."""
    from perdure import app

    settings = _settings(host=host, port=port, data_dir=data_dir, database_url=database_url)

    def ready(url: str, _asks_for_keys: bool) -> None:  # noqa: FBT001 (``app.Ready``)
        _say_ready(f"Perdure serves at {url}", {"url": url}, as_json=as_json)

    _run(app.serve(settings, run_worker=False, with_inbox=False, ready=ready))


def worker(
    *,
    queues: Annotated[str | None, typer.Option(help="Queues to serve; all if left out. [env: PERDURE_QUEUES]")] = None,
    processors: Processors = None,
    concurrency: Concurrency = None,
    processes: Annotated[int | None, typer.Option(help="Worker processes. [env: PERDURE_WORKER_PROCESSES]")] = None,
    host: Host = None,
    metrics_port: MetricsPort = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrlOption = None,
    as_json: AsJson = False,
) -> None:
    """Runs jobs, with notifier, promoter, scheduler and sweeper. Any number of them, on any number of machines."""
    settings = _settings(
        queues=queues,
        processors=processors,
        concurrency=concurrency,
        worker_processes=processes,
        host=host,
        metrics_port=metrics_port,
        data_dir=data_dir,
        database_url=database_url,
    )
    from perdure.workers.parent import Parent

    parent = Parent.inherited()
    if parent is None:
        _run(_supervise(settings, as_json=as_json))
        return
    try:
        _run(_work(settings, parent))
    except PerdureError as error:
        parent.failed(error)
        sys.exit(ExitCode.ERROR)


async def _supervise(settings: Settings, *, as_json: bool) -> None:
    """Runs this very command as so many processes, each with one worker, and renews their leases."""
    from perdure.workers.supervisor import Supervisor

    command = [sys.executable, "-m", "perdure", *sys.argv[1:]]
    commands = [[*command, *_own_port(settings, number)] for number in range(settings.worker_processes)]
    async with Supervisor(commands, drain_seconds=settings.drain_seconds, ended=_log_end) as supervisor:
        from perdure import foundation  # while the processes start

        async with foundation.renewed_leases(settings, supervisor.children, supervisor.changed):
            if said := await supervisor.all_ready():
                _say_workers_ready([one["metrics_url"] for one in said if "metrics_url" in one], as_json=as_json)
            await supervisor.all_ended()
    if supervisor.failed is not None:
        raise supervisor.failed.failure or SystemExit(supervisor.failed.exit_code)


def _log_end(number: int, end: str, pause_seconds: float) -> None:
    import structlog

    log = structlog.get_logger("perdure")
    log.warning("worker.process_ended", process=number, end=end, replaced_in_seconds=pause_seconds)


async def _work(settings: Settings, parent: Parent) -> None:
    """Runs the one worker of this process."""
    if settings.metrics_port is None:
        from perdure import bootstrap

        await bootstrap.work(settings, parent.page, lambda: parent.ready({}))
        return
    from perdure import app

    await app.work_watched(settings, settings.metrics_port, parent.page, lambda url: parent.ready({"metrics_url": url}))


def _own_port(settings: Settings, number: int) -> list[str]:
    """Each process is watched at a port of its own, one after the other from the one that was chosen."""
    if settings.metrics_port is None:
        return []
    return ["--metrics-port", str(settings.metrics_port + number if settings.metrics_port else 0)]


def _settings(**flags: Any) -> Settings:
    from perdure.settings import Settings

    return Settings.read(**flags)


def _run(main: Coroutine[Any, Any, None]) -> None:
    """Runs an event loop, the fast one where there is one; the process ends soon after ``main`` has."""
    from perdure.workers.stopping import ending_within

    loop_factory = None
    if sys.platform != "win32":
        import uvloop

        loop_factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner, ending_within(LEAVE_SECONDS):
        runner.run(main)


def _say_workers_ready(metrics_urls: list[str], *, as_json: bool) -> None:
    values: dict[str, Any] = {"ready": True}
    if metrics_urls:
        values |= {"metrics_url": metrics_urls[0], "metrics_urls": metrics_urls}
    watched = f", watched at {', '.join(metrics_urls)}" if metrics_urls else ""
    _say_ready(f"The worker runs{watched}", values, as_json=as_json)


def _mails(settings: Settings, inbox: str | None) -> str:
    """Where mails are to be looked for."""
    if inbox is not None:
        return inbox
    if settings.smtp_url is not None:
        return "reach people, through the mail server of SMTP_URL"
    needed: dict[str, object] = {"MAILTRAP_API_KEY": settings.mailtrap_api_key}
    if settings.mailtrap_use_sandbox:
        needed["MAILTRAP_INBOX_ID"] = settings.mailtrap_inbox_id
    missing = [name for name, value in needed.items() if value is None]
    if missing:
        return f"go nowhere: {' and '.join(missing)} missing"
    if settings.mailtrap_use_sandbox:
        return f"go to inbox {settings.mailtrap_inbox_id} of Mailtrap's sandbox, and to nobody else"
    return "reach people, through Mailtrap"


def _say_ready(text: str, values: dict[str, Any], *, as_json: bool) -> None:
    sys.stdout.write((json.dumps(values) if as_json else text) + "\n")
    sys.stdout.flush()
