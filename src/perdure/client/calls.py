"""What can be asked of a server, as values: no call is made here. Both clients carry out the same ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import UUID

Id = str | UUID


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``wait_seconds`` is how long the server may take on purpose."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    wait_seconds: float = 0.0


def submit(job: Mapping[str, Any]) -> Call:
    return Call("POST", "/v1/jobs", json=dict(job))


def get_job(job_id: Id) -> Call:
    return Call("GET", f"/v1/jobs/{_segment(job_id)}")


def list_jobs(*, status: Sequence[str] = (), limit: int = 50, cursor: str | None = None, **filters: Any) -> Call:
    """``filters``: job_type, queue, created_after, created_before."""
    return Call("GET", "/v1/jobs", _given(status=list(status), limit=limit, cursor=cursor, **filters))


def job_events(job_id: Id) -> Call:
    return Call("GET", f"/v1/jobs/{_segment(job_id)}/events")


def job_deliveries(job_id: Id) -> Call:
    return Call("GET", f"/v1/jobs/{_segment(job_id)}/deliveries")


def wait_for_job(job_id: Id, timeout_seconds: float) -> Call:
    """Answers when the job is final, or as it is when the time (at most 60 s) is up."""
    path = f"/v1/jobs/{_segment(job_id)}/wait"
    return Call("GET", path, {"timeout_seconds": timeout_seconds}, wait_seconds=timeout_seconds)


def cancel_job(job_id: Id) -> Call:
    return Call("POST", f"/v1/jobs/{_segment(job_id)}/cancel")


def retry_job(job_id: Id) -> Call:
    return Call("POST", f"/v1/jobs/{_segment(job_id)}/retry")


def list_deliveries(*, status: Sequence[str] = (), limit: int = 50, cursor: str | None = None) -> Call:
    return Call("GET", "/v1/deliveries", _given(status=list(status), limit=limit, cursor=cursor))


def get_delivery(delivery_id: Id) -> Call:
    return Call("GET", f"/v1/deliveries/{_segment(delivery_id)}")


def job_types() -> Call:
    return Call("GET", "/v1/job-types")


def workers() -> Call:
    return Call("GET", "/v1/workers")


def inbox(limit: int = 50) -> Call:
    """The mails that the local inbox caught; only a server started with `perdure dev` has one."""
    return Call("GET", "/v1/inbox", {"limit": limit})


def _segment(identifier: Id) -> str:
    return quote(str(identifier), safe="")


def _given(**parameters: Any) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value not in (None, [])}
