"""``perdure jobs``: submit, look, wait, cancel and retry, over the HTTP API."""

from __future__ import annotations

from typing import Annotated

import typer

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
from perdure.cli.job_log import log
from perdure.cli.job_report import (
    print_deliveries,
    print_events,
    print_explanation,
    print_job,
    print_jobs,
    print_status,
)
from perdure.cli.output import print_json
from perdure.cli.payload import given_ones, read_payload
from perdure.cli.server import AsJson, JobId, PageCursor, PageLimit, Url, connect, show
from perdure.cli.submit import submit
from perdure.cli.tail import tail
from perdure.cli.watch import watch

app = typer.Typer(help="Submit jobs and follow them.", no_args_is_help=True)
app.command()(tail)
app.command()(submit)


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
    limit: PageLimit = 20,
    cursor: PageCursor = None,
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
    with connect(url) as client:
        page = client.call(calls.list_jobs(**filters, limit=limit, cursor=cursor))
        while page["next_cursor"] and not page["items"]:  # a long search, answered in parts
            page = client.call(calls.list_jobs(**filters, limit=limit, cursor=page["next_cursor"]))
    if as_json:
        print_json(page)
    else:
        print_jobs(page, is_filtered=any(filters.values()))


@app.command()
def get(*, job_id: JobId, url: Url = None, as_json: AsJson = False) -> None:
    """Shows a job, and who was told of it or why nobody."""
    from perdure.client import calls

    with connect(url) as client:
        job = client.call(calls.get_job(job_id))
        if as_json:
            print_json(job)
        else:
            print_job(job)
            print_deliveries(client.call(calls.job_deliveries(job_id)))


@app.command()
def events(*, job_id: JobId, url: Url = None, as_json: AsJson = False) -> None:
    """Shows a job's timeline."""
    from perdure.client import calls

    show(calls.job_events(job_id), url, as_json=as_json, as_text=print_events)


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

    show(calls.explain_job(job_id), url, as_json=as_json, as_text=print_explanation)


app.command()(watch)


@app.command()
def cancel(*, job_id: JobId, url: Url = None, as_json: AsJson = False) -> None:
    """Cancels a job: at once while it waits; a running one is asked to stop."""
    from perdure.client import calls

    show(calls.cancel_job(job_id), url, as_json=as_json, as_text=print_status)


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

    edits = given_ones(queue=queue, priority=priority, max_retries=max_retries, timeout_seconds=time_limit, tags=tag)
    if payload is not None:
        edits["payload"] = read_payload(payload)
    show(calls.retry_job(job_id, **edits), url, as_json=as_json, as_text=print_status)
