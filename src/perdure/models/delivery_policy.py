"""How a provider is to be used: when a delivery is tried again, when it is given up, and how much is sent at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from perdure.models.retry import JITTER


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``calls`` in any ``seconds``: a third of them at once after a silence, the others evenly."""

    calls: int
    seconds: float

    def __post_init__(self) -> None:
        if self.calls < 1 or not 0 < self.seconds < math.inf:
            raise ValueError("a rate is at least one call in a time that ends")

    @property
    def burst(self) -> int:
        return max(self.calls // 3, 1)

    @property
    def interval_seconds(self) -> float:
        """Between two calls once the burst is used up, so that both together keep to the rate."""
        return self.seconds / (self.calls - self.burst + 1)


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """When to try again and when to give up, in seconds, and how much at a time.

    ``delays_seconds[n]`` is waited after failed try ``n + 1``, so there are ``len(delays_seconds) + 1`` tries; each
    try is cut at ``deadline_seconds``, and none starts later than ``max_age_seconds`` after the event. ``rate`` holds
    for each destination of the provider over all processes (None: no limit), and so does ``max_in_flight_each``;
    ``max_in_flight`` holds for the provider in each process. After more ambiguous tries than ``ambiguous_retries``
    (None: any number) it is given up, where to tell somebody twice is worse than not at all. Waits are spread by
    ``jitter`` (0.2 is ±20 %), so that what failed together does not come back together.
    """

    delays_seconds: tuple[float, ...]
    max_age_seconds: float
    deadline_seconds: float
    rate: Rate | None = None
    max_in_flight: int = 10
    ambiguous_retries: int | None = None
    max_in_flight_each: int | None = None
    jitter: float = JITTER

    @property
    def max_attempts(self) -> int:
        return len(self.delays_seconds) + 1

    def forbids(self, ambiguous_attempts: int) -> bool:
        """Whether so many tries of which nobody knows what came are too many to risk another."""
        return self.ambiguous_retries is not None and ambiguous_attempts > self.ambiguous_retries
