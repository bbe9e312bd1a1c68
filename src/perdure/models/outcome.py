"""How one attempt of a job can end. Values, matched exhaustively where they are acted upon."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class ErrorReason(StrEnum):
    """Why the last attempt of a job failed (``error.reason``)."""

    RETRIES_EXHAUSTED = "retries_exhausted"
    """The processor raised an error."""
    NOT_RETRYABLE = "not_retryable"
    """The processor raised ``NotRetryable``: trying again would not help."""
    TIMED_OUT = "timed_out"
    """It took longer than ``timeout_seconds``."""
    WORKER_LOST = "worker_lost"
    """The worker died or could not renew its lease, or the attempt's own process died (``isolation="process"``)."""
    EXPIRED = "expired"
    """Its ``expires_at`` came while it waited: no attempt may begin any more."""


@dataclass(frozen=True, slots=True)
class JobError:
    """What went wrong in an attempt; kept with the job. ``message`` and ``traceback`` are cut before they get here.

    ``fingerprint`` is the same for failures that are the same (``models/fingerprint.py``).
    """

    reason: ErrorReason
    type: str
    message: str
    traceback: str | None = None
    fingerprint: str | None = None

    def as_json(self) -> dict[str, str | None]:
        return {
            "reason": self.reason.value,
            "type": self.type,
            "message": self.message,
            "traceback": self.traceback,
            "fingerprint": self.fingerprint,
        }


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The processor returned; ``result`` is JSON."""

    result: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed for ``error.reason``; whether another follows is the job's decision.

    ``retry_seconds`` is how long that one waits, if the processor said so; None leaves it to the job's policy.
    """

    error: JobError
    retry_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Snoozed:
    """The processor asked to be run again in ``seconds``; the attempt is given back."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Released:
    """The worker gives the job back unharmed (it is shutting down); the attempt is given back."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The processor stopped because somebody asked for it."""


Outcome = Succeeded | Failed | Snoozed | Released | Cancelled


def storable(text: str) -> str:
    """``text`` without what PostgreSQL or JSON cannot keep: NUL and lone surrogates become replacement characters."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
