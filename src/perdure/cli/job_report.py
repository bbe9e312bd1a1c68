"""How jobs are shown: a table of many, the facts of one, its state, and why it stands where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.cli.output import moment, print_answer, print_line, print_more, print_table
from perdure.cli.timeline import print_timeline

if TYPE_CHECKING:
    from perdure.client.answers import Event, Explanation, Job, JobSummary, Page
    from perdure.client.delivery_answers import Delivery


def print_jobs(page: Page[JobSummary], *, is_filtered: bool) -> None:
    if not page["items"]:
        print_line("None matches." if is_filtered else "No jobs. Submit one: perdure jobs submit demo.sleep --wait")
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
    print_more(page["next_cursor"])


def print_job(job: Job) -> None:
    print_answer(job)


def print_deliveries(page: Page[Delivery]) -> None:
    """Each on a line of its own."""
    for one in page["items"]:
        whom = one["recipient"] or "nobody"
        if one["resend_of"] is not None:
            whom += ", again"
        if one["subscription"] is not None:
            whom += f", for the subscription {one['subscription']}"
        print_line(f"told of {one['event']}  {one['channel']}  {whom}  ", one["status"], f"  {one['explanation']}")


def print_events(timeline: Page[Event]) -> None:
    print_timeline(timeline["items"])


def print_explanation(explanation: Explanation) -> None:
    print_line("", explanation["status"], f"  {explanation['summary']}")
    for reason in explanation["reasons"][1:]:
        print_line(f"  {reason['message']}")


def print_status(job: Job) -> None:
    print_line(f"{job['job_id']}  ", job["status"])
    if job["status"] == "RUNNING":
        print_line("It runs; it was asked to stop.")
