"""A worker's lease: how long a silent worker keeps its jobs, and who a worker is.

One lease covers all jobs of a worker process. It is renewed three times in its length while the process deserves it
(``workers/renewer.py``); once it has lapsed, other processes give the worker's jobs to others, and the fence refuses
whatever the old holder still writes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

RENEWALS_PER_LEASE = 3
"""Two renewals in a row may fail before a lease is in danger."""
KEPT_FREE = 0.1
"""The share of a lease, at its end, in which its holder works no more: it has stopped before others may begin."""
OVERDUE_SECONDS = 10.0
"""How long after a deadline a worker that has not acted on it counts as blocked for good: it is killed."""

MAX_JOBS_NAMED = 100
"""So many of the jobs that a worker runs are named to whoever asks, those that have run longest."""


@dataclass(frozen=True, slots=True)
class WorkerIdentity:
    """What a worker process tells of itself. ``queues`` empty means every queue. A restart is a new identity."""

    worker_id: UUID
    hostname: str
    process_id: int
    version: str
    queues: tuple[str, ...]
    job_types: tuple[str, ...]
    concurrency: int

    def as_row(self) -> dict[str, Any]:
        return asdict(self) | {"queues": list(self.queues), "job_types": list(self.job_types)}
