"""Which deliveries are meant, and what that says about a row. How they are found is the business of the search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from perdure.db.models.delivery import JOB_TYPE
from perdure.models.delivery import DeliveryStatus
from perdure.repositories.id_bounds import made_at
from perdure.schemas.delivery_filter import DeliveryFilterShape

# A row of ``perdure.deliveries`` matches a field that is given if this is true of it. (Status is asked by the search.)
_CONDITIONS = {
    "provider": "provider = :provider",
    "channel": "channel = :channel",
    "event": "event = :event",
    "job_type": f"{JOB_TYPE} = :job_type",
    "recipient": "recipient = :recipient",
    "job_id": "job_id = :job_id",
    "created_after": "created_at >= :created_after",
    "created_before": "created_at < :created_before",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Deliveries that match all that is given; None and empty leave a condition out."""

    status: Sequence[DeliveryStatus] = ()
    provider: str | None = None
    channel: str | None = None
    event: str | None = None
    job_type: str | None = None
    recipient: str | None = None
    job_id: UUID | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    @classmethod
    def read(cls, sent: DeliveryFilterShape) -> DeliveryFilter:
        return cls(**{name: getattr(sent, name) for name in cls.__dataclass_fields__})

    def newer_than(self, delivery_id: UUID) -> DeliveryFilter:
        """The same deliveries, without most of those that were made before the one with this id."""
        begin = made_at(delivery_id)
        return replace(self, created_after=max(begin, self.created_after or begin))

    @property
    def states(self) -> Sequence[DeliveryStatus]:
        """Those that are asked for: all, where none is named."""
        return self.status or tuple(DeliveryStatus)

    def given(self, names: Sequence[str]) -> list[str]:
        """Those of the fields that are given."""
        return [name for name in names if getattr(self, name) is not None]

    def sql(self, *, besides: Sequence[str] = ()) -> list[str]:
        """What is true of rows that match, with their values named, without what the fields ``besides`` say."""
        return [_CONDITIONS[name] for name in self.given(list(_CONDITIONS)) if name not in besides]

    def parameters(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.given(list(_CONDITIONS))}
