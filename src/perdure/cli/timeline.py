"""A job's timeline and log, as lines: when, which attempt, what; and, below it, why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from perdure.cli.output import print_line

if TYPE_CHECKING:
    from perdure.client.answers import Event, Job, LogLine


def print_timeline(entries: Sequence[Event], indent: str = "") -> None:
    for entry in entries:
        about = _attempt(entry["run"], entry["attempt"])
        again = f"  again at {entry['data']['run_at'][11:19]}" if entry["event"] == "RETRY" else ""
        print_line(f"{indent}{entry['at'][11:23]}  {about:<10}  ", entry["event"], again)
        error = entry["data"].get("error")
        if error is not None:
            message = error["message"].partition("\n")[0]
            print_line(f"{indent}{'':14}{error['type']}: {message}")


def print_log(lines: Sequence[LogLine], indent: str = "") -> None:
    for line in lines:
        level = "" if line["level"] == "info" else f"{line['level'].upper()}: "
        print_line(
            f"{indent}{line['at'][11:23]}  {_attempt(line['run'], line['attempt']):<10}  {level}{line['message']}"
        )


def print_progress(job: Job) -> None:
    progress = job["progress"] or {}
    print_line(f"{'':14}{progress.get('percent') or 0:>3.0f} %  {progress.get('message') or ''}".rstrip())


def _attempt(run: int, attempt: int) -> str:
    about = f"attempt {attempt}" if attempt else ""
    return about if run == 1 else f"run {run} {about}".strip()
