"""``perdure workers``: what an operator asks of a running platform."""

from __future__ import annotations

import typer

from perdure.cli.output import moment, print_json, print_line, print_table
from perdure.cli.server import AsJson, Url, connect


def register(app: typer.Typer) -> None:
    app.command()(workers)


def workers(*, url: Url = None, as_json: AsJson = False) -> None:
    """Lists the workers: where they run, what they serve, and whether their lease lives."""
    from perdure.client import calls

    with connect(url) as client:
        found = client.call(calls.workers())
    if as_json:
        print_json(found)
        return
    if not found["items"]:
        print_line("No workers. Start one: perdure worker")
        return
    print_table(
        ["worker", "host", "process", "alive", "running", "queues", "job types", "started"],
        [
            [
                one["worker_id"],
                one["hostname"],
                str(one["process_id"]),
                "yes" if one["alive"] else "no",
                f"{one['running']}/{one['concurrency']}",
                ", ".join(one["queues"]) or "all",
                ", ".join(one["job_types"]),
                moment(one["started_at"]),
            ]
            for one in found["items"]
        ],
    )
