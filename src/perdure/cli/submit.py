"""``perdure jobs submit``: one job from its options, or many, a line each; or what one would come to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from perdure.cli.bulk import submit_from
from perdure.cli.output import exit_code_of, print_json, print_line
from perdure.cli.payload import given_ones, naming_file, read_payload, wrong_usage
from perdure.cli.preview import print_preview
from perdure.cli.server import AsJson, TimeLimit, Url, connect, show


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
        "context": given_ones(user_id=user_id, email=email) or None,
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
        _preview(job_type, given, file, given_ones(**declared), url, as_json=as_json)
        return
    if file is not None:
        given = naming_file(given, file)
    with connect(url) as client:
        if file is not None:
            given["file"] = client.upload(file)["file_id"]
        job = client.submit(job_type, given, idempotency_key=idempotency_key, **given_ones(**declared))
        if wait:
            job = client.wait(job["job_id"], timeout)
    if as_json:
        print_json(job)
    else:
        print_line(f"{job['job_id']}  ", job["status"])
    if wait:
        raise typer.Exit(exit_code_of(job))


def _preview(
    job_type: str, payload: Any, file: Path | None, declared: dict[str, Any], url: str | None, *, as_json: bool
) -> None:
    from perdure.client import calls

    if file is not None:
        raise wrong_usage("--dry-run stores nothing, so it uploads no --file. Name an uploaded one in --payload.")
    call = calls.preview({"job_type": job_type, "payload": payload} | declared)
    show(call, url, as_json=as_json, as_text=print_preview)
