"""``perdure jobs``: submit, look, wait, cancel and retry, over the HTTP API."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.cli.bulk import submit_from
from perdure.cli.files import print_files
from perdure.cli.filters import (
    CreatedAfter,
    CreatedBefore,
    Email,
    ErrorGroup,
    JobType,
    Queue,
    Search,
    Status,
    Tag,
    User,
    filters_of,
)
from perdure.cli.job_log import lines_after, log
from perdure.cli.output import (
    exit_code_of,
    moment,
    print_facts,
    print_json,
    print_line,
    print_table,
    shown,
)
from perdure.cli.payload import naming_file, read_payload, wrong_usage
from perdure.cli.preview import print_preview
from perdure.cli.server import AsJson, JobId, Url, connect, show
from perdure.cli.tail import tail
from perdure.cli.timeline import print_log, print_progress, print_timeline

if TYPE_CHECKING:
    from perdure.client.answers import Event, Explanation, Job, JobSummary, Page

app = typer.Typer(help="Submit jobs and follow them.", no_args_is_help=True)
app.command()(tail)

TimeLimit = Annotated[float | None, typer.Option("--timeout", min=0, help="Give up waiting after so many seconds.")]
WATCH_SECONDS = 1.0
"""How long `watch` waits for the end before it looks for news."""


@app.command()
def submit(
    *,
    job_type: Annotated[str | None, typer.Argument(help="What to do, e.g. csv.profile.")] = None,
    source: Annotated[
        str | None, typer.Option("--from", help="Submit a job a line (NDJSON) from this file; - is standard input.")
    ] = None,
    payload: Annotated[
        str | None, typer.Option(help="The input as JSON; @FILE reads a file, - standard input.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="Upload this file and name it in payload.file.")] = None,
    queue: Annotated[str | None, typer.Option(help="Which queue; default: default.")] = None,
    priority: Annotated[int | None, typer.Option(help="-100 to 100, higher runs first.")] = None,
    delay: Annotated[float | None, typer.Option(help="Run it in so many seconds.")] = None,
    expires_at: Annotated[
        str | None, typer.Option(help="Too late to begin after this, e.g. 2030-01-31T12:00:00Z.")
    ] = None,
    max_retries: Annotated[int | None, typer.Option(help="Further attempts after a failed one.")] = None,
    time_limit: Annotated[float | None, typer.Option("--attempt-timeout", help="Seconds one attempt may take.")] = None,
    concurrency_key: Annotated[
        str | None, typer.Option(help="Jobs of one key run one at a time, or as many as their type allows.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be given again.")] = None,
    unique_key: Annotated[str | None, typer.Option(help="Refused while a job with this key is not finished.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Of your making: within 24 hours, the same key again is the same job.")
    ] = None,
    email: Annotated[str | None, typer.Option(help="Whom to tell by mail how it ended.")] = None,
    user_id: Annotated[str | None, typer.Option(help="Whose job it is.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and submit nothing.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until it is final; the exit code tells how it ended.")
    ] = False,
    timeout: TimeLimit = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Submits a job and prints its id; with --from many, each line a job as the API takes it."""
    declared = {
        "queue": queue,
        "priority": priority,
        "delay_seconds": delay,
        "expires_at": expires_at,
        "max_retries": max_retries,
        "timeout_seconds": time_limit,
        "concurrency_key": concurrency_key,
        "tags": tag,
        "unique_key": unique_key,
        "context": _given(user_id=user_id, email=email) or None,
        "notifications": None if email is None else {"email": {"enabled": True, "on": ["SUCCESS", "FAILURE"]}},
    }
    if source is not None:
        others = (job_type, payload, file, idempotency_key, *declared.values())
        if dry_run or wait or any(value is not None for value in others):
            raise wrong_usage("--from takes all from its lines; leave JOB_TYPE and the other options out.")
        submit_from(source, url, as_json=as_json)
        return
    if job_type is None:
        raise wrong_usage("say what to do: JOB_TYPE, or --from FILE for many jobs.")
    given = read_payload(payload)
    if dry_run:
        _preview(job_type, given, file, _given(**declared), url, as_json=as_json)
        return
    if file is not None:
        given = naming_file(given, file)
    with connect(url) as client:
        if file is not None:
            given["file"] = client.upload(file)["file_id"]
        job = client.submit(job_type, given, idempotency_key=idempotency_key, **_given(**declared))
        if wait:
            job = client.wait(job["job_id"], timeout)
    if as_json:
        print_json(job)
    else:
        print_line(f"{job['job_id']}  ", job["status"])
    if wait:
        raise typer.Exit(exit_code_of(job))


@app.command("list")
def list_(
    *,
    status: Status = None,
    job_type: JobType = None,
    queue: Queue = None,
    user: User = None,
    email: Email = None,
    tag: Tag = None,
    error_group: ErrorGroup = None,
    search: Search = None,
    created_after: CreatedAfter = None,
    created_before: CreatedBefore = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="next_cursor of the page before.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Lists jobs, newest first."""
    from perdure.client import calls

    filters = filters_of(
        status=status,
        job_type=job_type,
        queue=queue,
        user=user,
        email=email,
        tag=tag,
        error_group=error_group,
        search=search,
        created_after=created_after,
        created_before=created_before,
    )
    call = calls.list_jobs(**filters, limit=limit, cursor=cursor)
    show(call, url, as_json=as_json, as_text=_print_page)


@app.command()
def get(*, job_id: JobId, url: Url = None, as_json: AsJson = False) -> None:
    """Shows a job."""
    from perdure.client import calls

    show(calls.get_job(job_id), url, as_json=as_json, as_text=_print_job)


@app.command()
def events(*, job_id: JobId, url: Url = None, as_json: AsJson = False) -> None:
    """Shows a job's timeline."""
    from perdure.client import calls

    show(calls.job_events(job_id), url, as_json=as_json, as_text=_print_events)


app.command()(log)


@app.command()
def files(*, job_id: JobId, url: Url = None, as_json: AsJson = False) -> None:
    """Lists the files that a job names, and those that it saved."""
    from perdure.client import calls

    show(calls.job_files(job_id), url, as_json=as_json, as_text=print_files)


@app.command()
def explain(*, job_id: JobId, url: Url = None, as_json: AsJson = False) -> None:
    """Says why a job stands where it stands."""
    from perdure.client import calls

    show(calls.explain_job(job_id), url, as_json=as_json, as_text=_print_explanation)


@app.command()
def watch(*, job_id: JobId, timeout: TimeLimit = None, url: Url = None, as_json: AsJson = False) -> None:
    """Follows a job until it is final; the exit code tells how it ended."""
    from perdure.client import calls

    until = None if timeout is None else time.monotonic() + timeout
    told = last_line = 0
    last_progress = None
    pause = 0.0  # what is known already is shown at once
    with connect(url) as client:
        while True:
            job = client.call(calls.wait_for_job(job_id, pause))
            timeline = client.call(calls.job_events(job_id))["items"]
            if not as_json:
                print_timeline(timeline[told:])
                for line in lines_after(client, job_id, last_line):
                    print_log([line])
                    last_line = line["line"]
                if job["progress"] != last_progress and job["finished_at"] is None:
                    print_progress(job)
            told, last_progress = len(timeline), job["progress"]
            if job["finished_at"] is not None or (until is not None and time.monotonic() >= until):
                break
            pause = WATCH_SECONDS if until is None else min(WATCH_SECONDS, max(until - time.monotonic(), 0.0))
    if as_json:
        print_json(job)
    raise typer.Exit(exit_code_of(job))


@app.command()
def cancel(*, job_id: JobId, url: Url = None, as_json: AsJson = False) -> None:
    """Cancels a job: at once while it waits; a running one is asked to stop."""
    from perdure.client import calls

    show(calls.cancel_job(job_id), url, as_json=as_json, as_text=_print_status)


@app.command()
def retry(
    *,
    job_id: JobId,
    payload: Annotated[
        str | None, typer.Option(help="Another input as JSON; @FILE reads a file, - standard input.")
    ] = None,
    queue: Annotated[str | None, typer.Option(help="Another queue.")] = None,
    priority: Annotated[int | None, typer.Option(help="Another priority.")] = None,
    max_retries: Annotated[int | None, typer.Option(help="Further attempts after a failed one.")] = None,
    time_limit: Annotated[float | None, typer.Option("--attempt-timeout", help="Seconds one attempt may take.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag instead of those it has; may be given again.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Runs a finished job again, as a new run; with any change, as a new job that is a copy of it."""
    from perdure.client import calls

    edits = _given(queue=queue, priority=priority, max_retries=max_retries, timeout_seconds=time_limit, tags=tag)
    if payload is not None:
        edits["payload"] = read_payload(payload)
    show(calls.retry_job(job_id, **edits), url, as_json=as_json, as_text=_print_status)


def _preview(
    job_type: str, payload: Any, file: Path | None, declared: dict[str, Any], url: str | None, *, as_json: bool
) -> None:
    from perdure.client import calls

    if file is not None:
        raise wrong_usage("--dry-run stores nothing, so it uploads no --file. Name an uploaded one in --payload.")
    call = calls.preview({"job_type": job_type, "payload": payload} | declared)
    show(call, url, as_json=as_json, as_text=print_preview)


def _print_page(page: Page[JobSummary]) -> None:
    if not page["items"]:
        print_line("No jobs. Submit one: perdure jobs submit demo.sleep --wait")
        return
    print_table(
        ["job", "type", "queue", "status", "attempt", "created"],
        [
            [
                job["job_id"],
                job["job_type"],
                job["queue"],
                job["status"],
                f"{job['attempt']}/{job['max_attempts']}",
                moment(job["created_at"]),
            ]
            for job in page["items"]
        ],
        dispensable=["queue", "created"],
    )
    if page["next_cursor"]:
        print_line(f"More: --cursor {page['next_cursor']}")


def _print_job(job: Job) -> None:
    print_facts([(name, _fact(name, value)) for name, value in job.items() if value not in (None, [])])


def _print_events(timeline: Page[Event]) -> None:
    print_timeline(timeline["items"])


def _print_explanation(explanation: Explanation) -> None:
    print_line("", explanation["status"], f"  {explanation['summary']}")
    for reason in explanation["reasons"][1:]:
        print_line(f"  {reason['message']}")


def _print_status(job: Job) -> None:
    print_line(f"{job['job_id']}  ", job["status"])
    if job["status"] == "RUNNING":
        print_line("It runs; it was asked to stop.")


def _fact(name: str, value: Any) -> str:
    return moment(value) if name.endswith("_at") else shown(value)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, [])}
