"""Which deliveries a page shows, as its address says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from perdure.dashboard.asked import TIMES, Asked
from perdure.models.delivery import DeliveryStatus
from perdure.repositories.delivery_filter import DeliveryFilter
from perdure.schemas.base import Request
from perdure.schemas.delivery_filter import DeliveryFilterShape


@dataclass(frozen=True, slots=True)
class DeliveriesAsked(Asked[DeliveryFilterShape]):
    path: ClassVar[str] = "/notifications"
    schema: ClassVar[type[Request]] = DeliveryFilterShape
    labels: ClassVar[dict[str, str]] = {
        "recipient": "to",
        "channel": "channel",
        "provider": "provider",
        "event": "event",
        "job_type": "type",
        "job_id": "job",
        **TIMES,
    }

    @property
    def filter(self) -> DeliveryFilter:
        return DeliveryFilter.read(self.shape)

    @property
    def status(self) -> DeliveryStatus | None:
        """The state whose tab is chosen."""
        return self.shape.status[0] if len(self.shape.status) == 1 else None
