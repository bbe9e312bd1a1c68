"""How a dry run is shown: what the job would be, what it would wait for, its retries, and who would be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.cli.output import moment, print_line, print_table

if TYPE_CHECKING:
    from perdure.client.preview_answers import Preview


def print_preview(preview: Preview) -> None:
    job = preview["job"]
    due = f"  {moment(job['run_at'])}" if job["status"] == "SCHEDULED" else ""
    print_line("Nothing is stored. It would be ", job["status"], f"{due}, in the queue {job['queue']}.")
    if preview["unique_holder"] is not None:
        print_line(f"  It would be refused: the live job {preview['unique_holder']} has its unique key.")
    for reason in preview["reasons"]:
        print_line(f"  {reason['message']}")
    if preview["retries"]:
        print_table(
            ["attempt", "not before", "nor after"],
            [
                [str(retry["attempt"]), moment(retry["earliest_at"]), moment(retry["latest_at"])]
                for retry in preview["retries"]
            ],
        )
    if preview["deliveries"]:
        print_table(
            ["event", "channel", "recipient", "status", "reason"],
            [
                [one["event"], one["channel"], one["recipient"] or "", one["status"], one["reason"] or ""]
                for one in preview["deliveries"]
            ],
        )
