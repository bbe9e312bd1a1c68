"""Between rows and values, driven by the tables' own columns: a new field of a job needs no line here.

Only the few fields that are stored in another shape than they are lived with (the exceptions below) are spelled out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Column, ColumnElement, RowMapping, null
from sqlalchemy.dialects.postgresql import JSONB

from perdure.db.base import columns_of
from perdure.db.models import DeliveryRow, JobRow
from perdure.db.session import dump_json
from perdure.models.circuit import CircuitState
from perdure.models.delivery import Delivery, DeliveryStatus
from perdure.models.delivery_explanation import DeliveryOnRecord
from perdure.models.job import Job
from perdure.models.lifecycle import JobStatus
from perdure.models.outcome import ErrorReason, JobError
from perdure.models.retry import RetryPolicy

JOB_COLUMNS: tuple[Column[Any], ...] = columns_of(JobRow)
SUMMARY_COLUMNS: tuple[ColumnElement[Any], ...] = tuple(
    null().cast(JSONB).label(column.name) if column.name in {"payload", "result"} else column for column in JOB_COLUMNS
)
"""Those of a job in a list: the large ones are left out."""
DELIVERY_COLUMNS: tuple[Column[Any], ...] = columns_of(DeliveryRow)

STORED_OTHERWISE: Mapping[str, Callable[[Job], Any]] = {
    "rank": lambda job: -job.priority,
    "status": lambda job: job.status.value,
    "retry_base_seconds": lambda job: job.retry.base_seconds,
    "retry_max_seconds": lambda job: job.retry.max_seconds,
    "error": lambda job: None if job.error is None else job.error.as_json(),
}


_STATUSES = {status.value: status for status in JobStatus}


def job_from_row(row: RowMapping) -> Job:
    """The aggregate that a row of ``jobs`` (all its columns) stands for."""
    fields: dict[str, Any] = dict(row)
    fields["priority"] = -fields.pop("rank")
    fields["status"] = _STATUSES[fields["status"]]
    fields["retry"] = retry_policy(fields.pop("retry_base_seconds"), fields.pop("retry_max_seconds"))
    return Job.of(fields | present(fields, "tags", "error"))


def present(stored: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Those of the named fields, which a job may do without, that it has."""
    fields = {name: stored[name] for name in names if stored[name] is not None}
    if "tags" in fields:
        fields["tags"] = tuple(fields["tags"])
    if "error" in fields:
        fields["error"] = _error_from_json(fields["error"])
    return fields


retry_policy = lru_cache(maxsize=1_000)(RetryPolicy)
"""Nearly all jobs of a type have the same."""


def _error_from_json(stored: dict[str, Any]) -> JobError:
    """What older code did not write is None; what newer code writes besides is not read."""
    known: dict[str, Any] = {name: stored.get(name) for name in JobError.__dataclass_fields__}
    return JobError(**(known | {"reason": ErrorReason(stored["reason"])}))


def job_arrays(jobs: Sequence[Job], columns: Sequence[Column[Any]] = JOB_COLUMNS) -> dict[str, list[Any]]:
    """One array per column, as the set-based statements take them; JSON columns as text."""
    return {column.name: _array(jobs, column, STORED_OTHERWISE.get(column.name)) for column in columns}


def delivery_from_row(row: RowMapping | Mapping[str, Any]) -> Delivery:
    fields: dict[str, Any] = dict(row)
    return Delivery(status=DeliveryStatus(fields.pop("status")), **fields)


def delivery_on_record(row: RowMapping) -> DeliveryOnRecord:
    fields: dict[str, Any] = dict(row)
    status, circuit = DeliveryStatus(fields.pop("status")), fields.pop("circuit")
    return DeliveryOnRecord(status=status, circuit=None if circuit is None else CircuitState(circuit), **fields)


def delivery_arrays(
    deliveries: Sequence[Delivery], columns: Sequence[Column[Any]] = DELIVERY_COLUMNS
) -> dict[str, list[Any]]:
    return {column.name: _array(deliveries, column, None) for column in columns}


def _array(values: Sequence[Any], column: Column[Any], stored: Callable[[Any], Any] | None) -> list[Any]:
    name = column.name
    array = [getattr(value, name) for value in values] if stored is None else [stored(value) for value in values]
    if isinstance(column.type, JSONB):
        return [None if value is None else dump_json(value) for value in array]
    return array
