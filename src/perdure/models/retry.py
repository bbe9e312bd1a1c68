"""How long to wait before trying again: capped exponential back-off, with a jitter that needs no random source."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from uuid import UUID

JITTER = 0.2
"""Each delay is spread over ±20 %, so that jobs that failed together do not come back together."""

MAX_RETRIES = 1_000
"""So many further attempts a job may have."""
LONGEST_WAIT_SECONDS = 366 * 86_400.0
"""Nothing is put off for longer than a leap year."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Waits ``base_seconds`` after the first failed attempt, doubling, at most ``max_seconds``; both before jitter."""

    base_seconds: float = 2.0
    max_seconds: float = 300.0

    def delay_seconds(self, identity: UUID, attempt: int) -> float:
        """Seconds to wait after failed attempt ``attempt`` (from 1) of the job ``identity``."""
        return self.mean_seconds(attempt) * jitter_factor(identity, attempt)

    def mean_seconds(self, attempt: int) -> float:
        """The same before jitter, which spreads it by ``JITTER``."""
        exponent = min(attempt - 1, 62)
        return float(min(self.base_seconds * 2**exponent, self.max_seconds))


def checked_wait(seconds: float) -> float:
    """``seconds`` as a wait that a job can be put off for; raises ValueError for what is none."""
    if not 0 <= seconds <= LONGEST_WAIT_SECONDS:  # nor is NaN
        raise ValueError(f"seconds must be a number from 0 to {LONGEST_WAIT_SECONDS:.0f}, a leap year")
    return float(seconds)


def jitter_factor(identity: UUID, attempt: int, spread: float = JITTER) -> float:
    """A factor in [1 - spread, 1 + spread], even over identities and attempts, the same at every call.

    Drawn from a checksum and not from a random source: so whoever decides the same thing twice decides the same.
    """
    fraction = zlib.crc32(identity.bytes + attempt.to_bytes(4, "big")) / 0xFFFFFFFF
    return 1 - spread + 2 * spread * fraction
