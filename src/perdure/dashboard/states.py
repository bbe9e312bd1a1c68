"""How a state is shown: one word and one tone, for jobs, steps, deliveries, circuits, workers and actions alike.

The states themselves are the models'. One that is new and has no tone here fails a test: no badge goes without.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from perdure.models.circuit import CircuitState
from perdure.models.delivery import DeliveryStatus
from perdure.models.job_action import ActionStatus
from perdure.models.lifecycle import JobStatus, TimelineEvent
from perdure.models.schedule import SlotOutcome

_BY_TONE = {
    "plan": (JobStatus.SCHEDULED, TimelineEvent.CREATED, TimelineEvent.SNOOZED, TimelineEvent.RELEASED),
    "wait": (JobStatus.QUEUED, TimelineEvent.RESTARTED, DeliveryStatus.PENDING),
    "busy": (JobStatus.RUNNING, TimelineEvent.STARTED, DeliveryStatus.SENDING, ActionStatus.RUNNING),
    "again": (JobStatus.RETRYING, TimelineEvent.RETRY, "DRAINING"),
    "held": (CircuitState.PAUSED,),
    "good": (
        *(JobStatus.SUCCEEDED, TimelineEvent.SUCCESS, DeliveryStatus.SENT, DeliveryStatus.DELIVERED),
        *(ActionStatus.DONE, CircuitState.CLOSED, SlotOutcome.SUBMITTED, "ALIVE", "ACTIVE"),
    ),
    "bad": (
        *(JobStatus.FAILED, TimelineEvent.FAILURE, DeliveryStatus.FAILED, DeliveryStatus.BOUNCED),
        *(CircuitState.OPEN, SlotOutcome.REFUSED, "GONE"),
    ),
    "still": (
        *(JobStatus.CANCELLED, TimelineEvent.CANCELLED, DeliveryStatus.SKIPPED, DeliveryStatus.SUPPRESSED),
        *(ActionStatus.STOPPED, SlotOutcome.MISSED, SlotOutcome.OVERLAPPED, "DISABLED"),
    ),
}
TONES = tuple(_BY_TONE)
"""Each is a colour and a sign: ``.tone-…`` of the styles, and an icon of the same name."""
_TONE_OF = MappingProxyType({str(state): tone for tone, states in _BY_TONE.items() for state in states})


@dataclass(frozen=True, slots=True)
class Look:
    """How one state is shown."""

    label: str
    tone: str


def look_of(state: str) -> Look:
    """Raises ``KeyError`` for what is no state."""
    return Look(str(state).capitalize(), _TONE_OF[str(state)])
