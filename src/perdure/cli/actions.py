"""``perdure actions``: cancel or retry all jobs that match, after a look at how many those are."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

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
from perdure.cli.output import (
    CLEAR_LINE,
    moment,
    on_terminal,
    print_answer,
    print_json,
    print_line,
    print_more,
    print_table,
    shown,
)
from perdure.cli.payload import wrong_usage
from perdure.cli.server import AsJson, PageCursor, PageLimit, Url, connect, show
from perdure.models.job_action import ActionVerb

if TYPE_CHECKING:
    from perdure.client.action_answers import JobAction, JobActionPreview
    from perdure.client.answers import Page
    from perdure.client.client import Client

app = typer.Typer(help="Cancel or retry all jobs that match.", no_args_is_help=True)

ActionId = Annotated[str, typer.Argument(help="The action's id.")]
LOOK_SECONDS = 0.5
"""How long it is until the next look at how far an action has come."""


@app.command()
def start(
    *,
    verb: Annotated[ActionVerb, typer.Argument(help="What to do with them.")],
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
    everything: Annotated[bool, typer.Option("--all", help="Every job there is, instead of a filter.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why, for whoever reads of it later.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what it would do.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    wait: Annotated[bool, typer.Option(help="Stay until it is done. Ctrl-C leaves it running.")] = True,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Counts the jobs that match, asks, and then acts on all of them, in batches."""
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
    if everything == any(filters.values()):
        raise wrong_usage("say which jobs, by a filter or two; or --all, alone, if you mean every job.")
    with connect(url) as client:
        if dry_run or not yes:
            preview = client.call(calls.preview_action(verb.value, filters, everything=everything))
            if dry_run:
                _print_preview(preview, as_json=as_json)
                return
            _ask(preview)
        action = client.call(calls.start_action(verb.value, filters, everything=everything, reason=reason))
        if wait:
            action = _followed(client, action, as_json=as_json)
    if as_json:
        print_json(action)
    elif not wait:
        print_line(f"{action['action_id']}  ", action["status"])


@app.command("list")
def list_(
    *,
    limit: PageLimit = 20,
    cursor: PageCursor = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Lists actions, newest first."""
    from perdure.client import calls

    show(calls.list_actions(limit=limit, cursor=cursor), url, as_json=as_json, as_text=_print_page)


@app.command()
def get(*, action_id: ActionId, url: Url = None, as_json: AsJson = False) -> None:
    """Shows an action."""
    from perdure.client import calls

    show(calls.get_action(action_id), url, as_json=as_json, as_text=_print_action)


@app.command()
def watch(*, action_id: ActionId, url: Url = None, as_json: AsJson = False) -> None:
    """Follows an action to its end."""
    from perdure.client import calls

    with connect(url) as client:
        action = _followed(client, client.call(calls.get_action(action_id)), as_json=as_json)
    if as_json:
        print_json(action)


@app.command()
def stop(*, action_id: ActionId, url: Url = None, as_json: AsJson = False) -> None:
    """Stops an action after the batch at hand; what is done stays done."""
    from perdure.client import calls

    show(calls.stop_action(action_id), url, as_json=as_json, as_text=_print_progress)


def _ask(preview: JobActionPreview) -> None:
    """Goes on only if there is something to do and the user wants it done."""
    if preview["is_complete"] and not preview["done"]:
        typer.echo(
            f"Nothing to {preview['action']}: {preview['matched']:,} match{_skipped(preview['skipped'])}.", err=True
        )
        raise typer.Exit
    typer.confirm(f"{preview['action'].capitalize()} {_jobs(preview)}?", abort=True, err=True)


def _followed(client: Client, action: JobAction, *, as_json: bool) -> JobAction:
    """The action once it has ended; says on the way how far it has come."""
    from perdure.client import calls

    try:
        while action["status"] == "RUNNING":
            if on_terminal() and not as_json:
                sys.stdout.write(f"{CLEAR_LINE}{_progress(action)} ")
                sys.stdout.flush()
            time.sleep(LOOK_SECONDS)
            action = client.call(calls.get_action(action["action_id"]))
    except KeyboardInterrupt:
        typer.echo(f"\nIt goes on. To stop it: perdure actions stop {action['action_id']}", err=True)
        raise
    if not as_json:
        sys.stdout.write(CLEAR_LINE if on_terminal() else "")
        _print_progress(action)
    return action


def _print_preview(preview: JobActionPreview, *, as_json: bool) -> None:
    if as_json:
        print_json(preview)
        return
    print_line(f"It would {preview['action']} {_jobs(preview)}.")
    for job_id in preview["sample"]:
        print_line(f"  {job_id}")


def _print_page(page: Page[JobAction]) -> None:
    if not page["items"]:
        print_line("No actions. Start one: perdure actions start retry --status failed")
        return
    print_table(
        ["id", "action", "filter", "status", "done", "skipped", "requested by", "created", "reason"],
        [
            [
                one["action_id"],
                one["action"],
                shown(one["filter"]),
                one["status"],
                str(one["done"]),
                str(sum(one["skipped"].values())),
                one["requested_by"],
                moment(one["created_at"]),
                one["reason"] or "",
            ]
            for one in page["items"]
        ],
        dispensable=["requested by", "reason", "created", "filter"],
    )
    print_more(page["next_cursor"])


def _print_action(action: JobAction) -> None:
    print_answer(action)


def _print_progress(action: JobAction) -> None:
    print_line(_progress(action))


def _progress(action: JobAction) -> str:
    return f"{action['action_id']}  {action['status']}  {action['done']:,} done{_skipped(action['skipped'])}"


def _jobs(preview: JobActionPreview) -> str:
    at_least = "" if preview["is_complete"] else "at least "
    return f"{at_least}{_counted(preview['done'])}{_skipped(preview['skipped'])}"


def _counted(jobs: int) -> str:
    return "1 job" if jobs == 1 else f"{jobs:,} jobs"


def _skipped(counts: dict[str, int]) -> str:
    return "".join(f", {count:,} skipped ({reason})" for reason, count in sorted(counts.items()))
