"""What can be asked of a server, as values: no call is made here. Both clients carry out the same ones.

The type in brackets is what the answer is: ``Client.call(get_job(…))`` returns a ``Job``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import UUID

from perdure.client.action_answers import JobAction, JobActionPreview
from perdure.client.answers import (
    Event,
    Explanation,
    Job,
    JobFile,
    JobSummary,
    LogLine,
    Page,
    StoredFile,
    StreamEvent,
    Submitted,
)
from perdure.client.delivery_answers import (
    Delivery,
    DeliveryDetail,
    Mail,
    MessagePreview,
    Resent,
    Suppression,
    SuppressionsAdded,
)
from perdure.client.operations_answers import Health, History, JobType, QueuePause, Queues, Statistics, Worker
from perdure.client.preview_answers import Preview
from perdure.client.provider_answers import Provider
from perdure.client.schedule_answers import Schedule, ScheduleSummary

Id = str | UUID
Answer = TypeVar("Answer")
_ACTIONS = "/v1/jobs/actions"


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """One request. ``wait_seconds`` is how long the server may take on purpose.

    One with an ``idempotency_key`` is made again when its answer is lost, and is carried out once.
    """

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    wait_seconds: float = 0.0
    idempotency_key: str | None = None


def submit(job: Mapping[str, Any], idempotency_key: str | None = None) -> Call[Job]:
    return Call("POST", "/v1/jobs", json=dict(job), idempotency_key=idempotency_key)


def preview(job: Mapping[str, Any]) -> Call[Preview]:
    """What submitting the job would come to; nothing is stored."""
    return Call("POST", "/v1/jobs", {"dry_run": True}, json=dict(job))


def submit_many() -> Call[Submitted]:
    """Its body is a job a line, its answer a line for each, which ``submit_many`` of the clients stream."""
    return Call("POST", "/v1/jobs/bulk")


def get_job(job_id: Id) -> Call[Job]:
    return Call("GET", f"/v1/jobs/{_segment(job_id)}")


def list_jobs(
    *, status: Sequence[str] = (), limit: int = 50, cursor: str | None = None, **filters: Any
) -> Call[Page[JobSummary]]:
    """``filters``: job_type, queue, user_id, email, tag, error_group, q, created_after, created_before."""
    return Call("GET", "/v1/jobs", _given(status=list(status), limit=limit, cursor=cursor, **filters))


def job_events(job_id: Id) -> Call[Page[Event]]:
    return Call("GET", f"/v1/jobs/{_segment(job_id)}/events")


def job_deliveries(job_id: Id) -> Call[Page[Delivery]]:
    return Call("GET", f"/v1/jobs/{_segment(job_id)}/deliveries")


def job_files(job_id: Id) -> Call[Page[JobFile]]:
    return Call("GET", f"/v1/jobs/{_segment(job_id)}/files")


def job_log(job_id: Id, after: int = 0, limit: int = 200) -> Call[Page[LogLine]]:
    """Lines whose number is greater than ``after``, in order; ``limit`` at most 1,000."""
    return Call("GET", f"/v1/jobs/{_segment(job_id)}/log", {"after": after, "limit": limit})


def explain_job(job_id: Id) -> Call[Explanation]:
    return Call("GET", f"/v1/jobs/{_segment(job_id)}/explain")


def wait_for_job(job_id: Id, timeout_seconds: float) -> Call[Job]:
    """Answers when the job is final, or as it is when the time (at most 60 s) is up."""
    path = f"/v1/jobs/{_segment(job_id)}/wait"
    return Call("GET", path, {"timeout_seconds": timeout_seconds}, wait_seconds=timeout_seconds)


def cancel_job(job_id: Id) -> Call[Job]:
    return Call("POST", f"/v1/jobs/{_segment(job_id)}/cancel")


def retry_job(job_id: Id, **edits: Any) -> Call[Job]:
    """Opens a new run of the job; with ``edits`` (payload, queue, …) the answer is a new job, a copy that has them."""
    return Call("POST", f"/v1/jobs/{_segment(job_id)}/retry", json=edits or None)


def preview_action(action: str, filters: Mapping[str, Any], *, everything: bool = False) -> Call[JobActionPreview]:
    """What ``start_action`` would do just now."""
    return Call("POST", _ACTIONS, {"dry_run": True}, json=_action(action, filters, everything=everything))


def start_action(
    action: str, filters: Mapping[str, Any], *, everything: bool = False, reason: str | None = None
) -> Call[JobAction]:
    """Cancels or retries all jobs that match ``filters`` (those of ``list_jobs``), or ``everything``, in batches."""
    return Call("POST", _ACTIONS, json=_action(action, filters, everything=everything) | _given(reason=reason))


def get_action(action_id: Id) -> Call[JobAction]:
    return Call("GET", f"{_ACTIONS}/{_segment(action_id)}")


def list_actions(*, limit: int = 50, cursor: str | None = None) -> Call[Page[JobAction]]:
    return Call("GET", _ACTIONS, _given(limit=limit, cursor=cursor))


def stop_action(action_id: Id) -> Call[JobAction]:
    """Ends it after the batch at hand; what is done stays done."""
    return Call("POST", f"{_ACTIONS}/{_segment(action_id)}/stop")


def list_deliveries(
    *, status: Sequence[str] = (), limit: int = 50, cursor: str | None = None, **filters: Any
) -> Call[Page[Delivery]]:
    """``filters``: channel, provider, event, job_type, recipient, job_id, created_after, created_before."""
    return Call("GET", "/v1/deliveries", _given(status=list(status), limit=limit, cursor=cursor, **filters))


def get_delivery(delivery_id: Id) -> Call[DeliveryDetail]:
    return Call("GET", f"/v1/deliveries/{_segment(delivery_id)}")


def resend_delivery(delivery_id: Id, idempotency_key: str | None = None) -> Call[Delivery]:
    path = f"/v1/deliveries/{_segment(delivery_id)}/resend"
    return Call("POST", path, idempotency_key=idempotency_key)


def resend_deliveries(filters: Mapping[str, Any], *, cursor: str | None = None, dry_run: bool = False) -> Call[Resent]:
    """Sends a batch of those that match ``filters`` (those of ``list_deliveries``; ``status`` must be given) again."""
    params = _given(cursor=cursor) | ({"dry_run": True} if dry_run else {})
    return Call("POST", "/v1/deliveries/resend", params, json={"filter": _given(**filters)})


def cancel_delivery(delivery_id: Id) -> Call[Delivery]:
    """Calls off one that waits to be sent."""
    return Call("POST", f"/v1/deliveries/{_segment(delivery_id)}/cancel")


def list_suppressions(
    *, address: str | None = None, limit: int = 50, cursor: str | None = None
) -> Call[Page[Suppression]]:
    return Call("GET", "/v1/suppressions", _given(address=address, limit=limit, cursor=cursor))


def add_suppressions(
    addresses: Sequence[str], *, reason: str = "manual", note: str | None = None
) -> Call[SuppressionsAdded]:
    """Nothing is sent to the addresses (at most 500) any more."""
    return Call("POST", "/v1/suppressions", json={"addresses": list(addresses), "reason": reason, "note": note})


def remove_suppression(address: str) -> Call[None]:
    return Call("DELETE", "/v1/suppressions", {"address": address})


def providers() -> Call[Page[Provider]]:
    """How notification providers stand: what waits for each, and where calls fail."""
    return Call("GET", "/v1/providers")


def resume_provider(name: str) -> Call[Provider]:
    """What waits for the provider is sent again, at once."""
    return Call("POST", f"/v1/providers/{_segment(name)}/resume")


def preview_message(**wanted: Any) -> Call[MessagePreview]:
    """What would be said; nothing is sent. ``wanted``: event, job_type (of a sample job), job_id, delivery_id."""
    return Call("GET", "/v1/notifications/preview", _given(**wanted))


def upload_file(name: str) -> Call[StoredFile]:
    """Its body is the file, which ``upload`` of the clients streams."""
    return Call("POST", "/v1/files", {"name": name})


def download_file(file_id: Id) -> Call[bytes]:
    return Call("GET", f"/v1/files/{_segment(file_id)}")


def delete_file(file_id: Id) -> Call[None]:
    return Call("DELETE", f"/v1/files/{_segment(file_id)}")


def list_schedules() -> Call[Page[ScheduleSummary]]:
    return Call("GET", "/v1/schedules")


def get_schedule(name: str) -> Call[Schedule]:
    return Call("GET", f"/v1/schedules/{_segment(name)}")


def set_schedule(name: str, schedule: Mapping[str, Any], *, dry_run: bool = False) -> Call[Schedule]:
    """``schedule`` replaces the one of this name; ``dry_run`` only answers what it would be."""
    return Call("PUT", f"/v1/schedules/{_segment(name)}", {"dry_run": True} if dry_run else {}, json=dict(schedule))


def delete_schedule(name: str) -> Call[None]:
    return Call("DELETE", f"/v1/schedules/{_segment(name)}")


def job_types() -> Call[Page[JobType]]:
    return Call("GET", "/v1/job-types")


def queues() -> Call[Queues]:
    """Counts are at most five seconds old; pauses are as they stand."""
    return Call("GET", "/v1/queues")


def pause_queue(name: str, reason: str | None = None) -> Call[QueuePause]:
    """No job of the queue starts any more once this is answered; what runs goes on."""
    return Call("POST", f"/v1/queues/{_segment(name)}/pause", json={"reason": reason})


def resume_queue(name: str) -> Call[QueuePause]:
    return Call("POST", f"/v1/queues/{_segment(name)}/resume")


def workers() -> Call[Page[Worker]]:
    return Call("GET", "/v1/workers")


def statistics() -> Call[Statistics]:
    """What waits, runs, and was done lately; at most five seconds old."""
    return Call("GET", "/v1/stats")


def history(*, start: str | None = None, end: str | None = None, **wanted: Any) -> Call[History]:
    """What was done from ``start`` to ``end``; by default in the last hour. ``wanted``: step, queue, job_type."""
    return Call("GET", "/v1/stats/history", _given(**{"from": start, "to": end}, **wanted))


def stream(*, event: Sequence[str] = (), status: Sequence[str] = (), **filters: Any) -> Call[StreamEvent]:
    """Answered with one event after the other, which ``stream`` of the clients yields.

    ``filters``: job_id, job_type, queue, tag.
    """
    return Call("GET", "/v1/stream", _given(event=list(event), status=list(status), **filters))


def inbox(limit: int = 50) -> Call[Page[Mail]]:
    """The mails that the local inbox caught; only a server started with `perdure dev` has one."""
    return Call("GET", "/v1/inbox", {"limit": limit})


def health() -> Call[Health]:
    """Whether the server can serve: it asks its database. (503 and ``unavailable`` when it cannot.)"""
    return Call("GET", "/readyz")


def _segment(identifier: Id) -> str:
    return quote(str(identifier), safe="")


def _action(action: str, filters: Mapping[str, Any], *, everything: bool) -> dict[str, Any]:
    return {"action": action, "filter": _given(**filters)} | ({"all": True} if everything else {})


def _given(**parameters: Any) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value not in (None, [])}
