"""How long to wait before trying again: capped exponential back-off, with a jitter that needs no random source."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from uuid import UUID

JITTER = 0.2
"""Each delay is spread over ±20 %, so that jobs that failed together do not come back together."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Waits ``base_seconds`` after the first failed attempt, doubling, at most ``max_seconds``; both before jitter."""

    base_seconds: float = 2.0
    max_seconds: float = 300.0

    def delay_seconds(self, identity: UUID, attempt: int) -> float:
        """Seconds to wait after failed attempt ``attempt`` (from 1) of the job ``identity``."""
        exponent = min(attempt - 1, 62)
        return float(min(self.base_seconds * 2**exponent, self.max_seconds) * jitter_factor(identity, attempt))


def jitter_factor(identity: UUID, attempt: int) -> float:
    """A factor in [1 - JITTER, 1 + JITTER], spread evenly over identities and attempts, the same at every call.

    Drawn from a checksum and not from a random source: so a dry run can name the very times that will be used.
    """
    fraction = zlib.crc32(identity.bytes + attempt.to_bytes(4, "big")) / 0xFFFFFFFF
    return 1 - JITTER + 2 * JITTER * fraction
