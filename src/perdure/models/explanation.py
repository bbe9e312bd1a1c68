"""What can be said about why a job stands where it stands, and the facts around it that decide.

A reason is a code for programs, a sentence for people and the values in it; the first of several is the decisive one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from perdure.models.delivery import Delivery
from perdure.models.lifecycle import JobStatus

AHEAD_COUNTED = 1_000
"""Jobs ahead in the queue are counted up to here, so that the answer is as fast for a long queue."""


class ReasonCode(StrEnum):
    """Why a job stands where it stands. Codes are stable; there may be more of them."""

    SCHEDULED = "scheduled"
    BACKING_OFF = "backing_off"
    DUE = "due"
    """Its time has come; a promoter makes it ready."""
    NO_WORKER = "no_worker"
    NO_WORKER_FOR_QUEUE = "no_worker_for_queue"
    NO_WORKER_FOR_TYPE = "no_worker_for_type"
    NO_WORKER_FOR_FILES = "no_worker_for_files"
    WORKERS_BUSY = "workers_busy"
    READY = "ready"
    """A worker that can run it has a free slot."""
    POSITION = "position"
    LEASE_LAPSED = "lease_lapsed"
    RUNNING = "running"
    CANCEL_REQUESTED = "cancel_requested"
    PROGRESS = "progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NOBODY_TO_TELL = "nobody_to_tell"
    TOLD = "told"
    BEING_TOLD = "being_told"
    NOT_TOLD = "not_told"


@dataclass(frozen=True, slots=True)
class Reason:
    """``data`` is JSON: the values of ``message``, for programs."""

    code: ReasonCode
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Explanation:
    """The reasons, the decisive one first; there is always one."""

    job_id: UUID
    status: JobStatus
    reasons: Sequence[Reason]

    @property
    def summary(self) -> str:
        return self.reasons[0].message


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """How many live workers there are for a waiting job: each count is of those among the ones before it.

    ``able`` can run it: where it names files, they see the file store.
    ``slots`` and ``running`` are those of the able workers; ``ahead`` counts ready jobs of its queue up to
    ``AHEAD_COUNTED``.
    """

    alive: int = 0
    serving_queue: int = 0
    knowing_type: int = 0
    able: int = 0
    slots: int = 0
    running: int = 0
    ahead: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The worker that runs a job. ``alive``: its lease has not lapsed."""

    worker_id: UUID
    hostname: str
    process_id: int
    lease_until: datetime
    alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What was read around a job: as much as its state asks for."""

    capacity: Capacity = Capacity()
    holder: Holder | None = None
    deliveries: Sequence[Delivery] = ()
    """Those of its present run."""
