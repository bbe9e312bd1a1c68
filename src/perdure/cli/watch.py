"""``perdure jobs watch``: a job's timeline, log and progress as they come, until it is final."""

from __future__ import annotations

import time

import typer

from perdure.cli.job_log import lines_after
from perdure.cli.output import exit_code_of, print_json
from perdure.cli.server import AsJson, JobId, TimeLimit, Url, connect
from perdure.cli.timeline import print_log, print_progress, print_timeline

WATCH_SECONDS = 1.0
"""How long it waits for the end before it looks for news."""


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
