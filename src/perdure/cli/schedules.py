"""``perdure schedules``: jobs that come again, over the HTTP API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.cli.output import moment, print_answer, print_json, print_line, print_table
from perdure.cli.payload import read_payload
from perdure.cli.server import AsJson, Url, connect, show

if TYPE_CHECKING:
    from perdure.client.answers import Page
    from perdure.client.schedule_answers import Schedule, ScheduleSummary

app = typer.Typer(help="Jobs that come again, by cron expressions.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The schedule's name.")]


@app.command("list")
def list_(*, url: Url = None, as_json: AsJson = False) -> None:
    """Lists the schedules, in order of name."""
    from perdure.client import calls

    show(calls.list_schedules(), url, as_json=as_json, as_text=_print_schedules)


@app.command()
def get(*, name: Name, url: Url = None, as_json: AsJson = False) -> None:
    """Shows a schedule, its next times and what became of the latest."""
    from perdure.client import calls

    show(calls.get_schedule(name), url, as_json=as_json, as_text=_print_schedule)


@app.command("set")
def set_(
    *,
    name: Name,
    expression: Annotated[
        str, typer.Argument(help="Minute, hour, day of month, month, day of week: '30 2 * * MON-FRI'; or @daily.")
    ],
    job: Annotated[
        str, typer.Argument(help="The job type, or a whole job as JSON; @FILE reads a file, - standard input.")
    ],
    payload: Annotated[str | None, typer.Option(help="The input as JSON, with a job type; @FILE, -.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="In whose time, e.g. Europe/Berlin; default: UTC.")] = None,
    catch_up: Annotated[str | None, typer.Option(help="Missed times: skip, latest or all; default: latest.")] = None,
    overlap: Annotated[
        str | None, typer.Option(help="While an earlier job is not final: allow or skip; default: allow.")
    ] = None,
    paused: Annotated[bool, typer.Option("--paused", help="Submit nothing until it is set again.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it would be, and set nothing.")] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Makes a schedule, or replaces the one of this name: what is left out has its default."""
    from perdure.client import calls

    declared = {"time_zone": time_zone, "catch_up": catch_up, "overlap": overlap}
    schedule = {
        "expression": expression,
        "job": _read_job(job, payload),
        "paused": paused,
        **{option: value for option, value in declared.items() if value is not None},
    }
    show(calls.set_schedule(name, schedule, dry_run=dry_run), url, as_json=as_json, as_text=_print_schedule)


@app.command()
def delete(*, name: Name, url: Url = None, as_json: AsJson = False) -> None:
    """Deletes a schedule. The jobs that it submitted stay."""
    from perdure.client import calls

    with connect(url) as client:
        client.call(calls.delete_schedule(name))
    if as_json:
        print_json({"name": name, "deleted": True})
    else:
        print_line(f"{name}  deleted")


def _read_job(given: str, payload: str | None) -> Any:
    """A job type is a name; anything else is JSON, or where it is to be read."""
    if given == "-" or given.startswith(("{", "@")):
        return read_payload(given)
    return {"job_type": given, "payload": read_payload(payload)}


def _print_schedules(found: Page[ScheduleSummary]) -> None:
    if not found["items"]:
        print_line("No schedules. Make one: perdure schedules set NAME '@daily' JOB_TYPE")
        return
    print_table(
        ["schedule", "expression", "time zone", "job type", "next run", "error"],
        [
            [
                one["name"],
                one["expression"],
                one["time_zone"],
                str(one["job"].get("job_type")),
                "paused" if one["paused"] else moment(one["next_run_at"]),
                one["last_error"] or "",
            ]
            for one in found["items"]
        ],
        dispensable=["error", "job type"],
    )


def _print_schedule(schedule: Schedule) -> None:
    print_answer(schedule, without=["next_runs", "last_runs", "next_run_at"])
    for at in schedule["next_runs"]:
        print_line(f"next  {moment(at)}")
    for run in schedule["last_runs"]:
        print_line(
            f"last  {moment(run['slot_at'])}  {run['outcome']}  {run['job_id'] or ''}  ", run["job_status"] or ""
        )
