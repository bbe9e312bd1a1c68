"""``perdure workers`` and ``perdure stats``: what an operator asks of a running platform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.output import moment, print_facts, print_line, print_table
from perdure.cli.server import AsJson, Url, show

if TYPE_CHECKING:
    from perdure.client.answers import Page
    from perdure.client.operations_answers import Activity, History, Statistics, Worker, WorkerJob


BARS = " ▁▂▃▄▅▆▇█"


def register(app: typer.Typer) -> None:
    app.command()(workers)
    app.command()(stats)


def workers(*, url: Url = None, as_json: AsJson = False) -> None:
    """Lists the workers: where they run, what they serve, whether their lease lives, and the jobs that they run."""
    from perdure.client import calls

    show(calls.workers(), url, as_json=as_json, as_text=_print_workers)


def stats(
    *,
    history: Annotated[bool, typer.Option("--history", help="What was done over time instead.")] = False,
    start: Annotated[str | None, typer.Option("--from", help="Since when, e.g. 2030-01-31T12:00:00Z.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Until when; default: now.")] = None,
    step: Annotated[int | None, typer.Option(help="Seconds a line: 60, 300, 3600 or 86400.")] = None,
    queue: Annotated[str | None, typer.Option(help="Only this queue.")] = None,
    job_type: Annotated[str | None, typer.Option("--type", help="Only this job type.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Shows how the platform stands: what waits and for how long, what runs, what was done lately.

    With --history: what was done in each step of the last hour, or of another stretch of time.
    """
    from perdure.client import calls

    if history:
        call = calls.history(start=start, end=end, step=step, queue=queue, job_type=job_type)
        show(call, url, as_json=as_json, as_text=_print_history)
    elif (start, end, step, queue, job_type) != (None,) * 5:
        raise typer.BadParameter("--from, --to, --step, --queue and --type belong to --history")
    else:
        show(calls.statistics(), url, as_json=as_json, as_text=_print_statistics)


def _print_workers(found: Page[Worker]) -> None:
    if not found["items"]:
        print_line("No workers. Start one: perdure worker")
        return
    print_table(
        ["worker", "host", "process", "alive", "running", "queues", "job types", "version", "started", "lease until"],
        [
            [
                one["worker_id"],
                one["hostname"],
                str(one["process_id"]),
                _alive(one),
                f"{one['running']}/{one['concurrency']}",
                ", ".join(one["queues"]) or "all",
                ", ".join(one["job_types"]),
                one["version"],
                moment(one["started_at"]),
                moment(one["lease_until"]),
            ]
            for one in found["items"]
        ],
        dispensable=["lease until", "started", "job types", "version"],
    )
    _print_running([(one, job) for one in found["items"] for job in one["jobs"]])


def _alive(worker: Worker) -> str:
    if not worker["alive"]:
        return "no"
    return "yes" if worker["draining_since"] is None else "draining"


def _print_running(running: Sequence[tuple[Worker, WorkerJob]]) -> None:
    if running:
        print_table(
            ["job", "type", "queue", "attempt", "since", "host", "process"],
            [
                [
                    job["job_id"],
                    job["job_type"],
                    job["queue"],
                    str(job["attempt"]),
                    moment(job["started_at"]),
                    worker["hostname"],
                    str(worker["process_id"]),
                ]
                for worker, job in running
            ],
            dispensable=["queue", "attempt", "host", "process"],
        )


def _print_statistics(found: Statistics) -> None:
    limit = found["count_limit"]
    told = ", ".join(f"{_count(number, limit)} {status}" for status, number in found["deliveries"].items())
    late = found["oldest_delivery_seconds"]
    print_facts(
        [
            ("workers", f"{found['workers_alive']} alive, {found['running']} of {found['slots']} slots in use"),
            ("deliveries", f"{_count(found['deliveries_waiting'], limit)} waiting{_oldest(late)}"),
            ("in 24 hours", told or "none"),
        ]
    )
    print_table(
        ["queue", "queued", "scheduled", "retrying", "oldest waiting"],
        [
            [
                one["queue"],
                *(_count(number, limit) for number in (one["queued"], one["scheduled"], one["retrying"])),
                _seconds(one["oldest_waiting_seconds"]),
            ]
            for one in found["queues"]
        ],
    )
    print_table(
        ["in the last", "submitted", "succeeded", "failed", "cancelled", "retried", "mean wait", "mean duration"],
        [_activity("minute", found["last_minute"]), _activity("hour", found["last_hour"])],
    )


def _print_history(found: History) -> None:
    most = max(point["attempts"] for point in found["points"])
    print_table(
        [
            "at",
            "",
            "submitted",
            "succeeded",
            "failed",
            "cancelled",
            "retried",
            "median wait",
            "p99 wait",
            "median duration",
            "p99 duration",
        ],
        [
            [
                moment(point["at"]),
                _bar(point["attempts"], most),
                *map(str, (point["submitted"], point["succeeded"], point["failed"])),
                *map(str, (point["cancelled"], point["retried"])),
                *(
                    _seconds(seconds)
                    for took in (point["wait_seconds"], point["duration_seconds"])
                    for seconds in (took["p50"], took["p99"])
                ),
            ]
            for point in found["points"]
        ],
        dispensable=["cancelled", "retried"],
    )


def _bar(number: int, most: int) -> str:
    """How much of the most it is."""
    return BARS[-(-number * (len(BARS) - 1) // most)] if most else BARS[0]


def _activity(stretch: str, done: Activity) -> list[str]:
    counts = (done["submitted"], done["succeeded"], done["failed"], done["cancelled"], done["retried"])
    return [stretch, *map(str, counts), _seconds(done["mean_wait_seconds"]), _seconds(done["mean_duration_seconds"])]


def _count(number: int, limit: int) -> str:
    return f"{number}+" if number >= limit else str(number)


def _oldest(seconds: float | None) -> str:
    return "" if seconds is None else f", the oldest for {_seconds(seconds)}"


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.3g} s" if seconds < 1000 else f"{seconds:,.0f} s"
