"""How long things took, as a small histogram that any number of processes can add up: means hide the slow ones.

Bucket 0 holds what took up to a millisecond; each further one ends a quarter later than the one before. So a quantile
read from it is off by an eighth at most (``RELATIVE_ERROR``), from a millisecond to the end of the last bucket, which
lies beyond a month and takes whatever is longer.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

GROWTH = 1.25
FIRST_SECONDS = 0.001
BUCKETS = 100
RELATIVE_ERROR = 0.12
"""Of a quantile: half a bucket, in proportion."""

_ENDS = [FIRST_SECONDS * GROWTH**bucket for bucket in range(BUCKETS - 1)]
"""Of all buckets but the last, which has none."""


def bucket_of(seconds: float) -> int:
    """Where a duration is counted."""
    return bisect_left(_ENDS, seconds)


def quantile_seconds(counts: Sequence[int], part: float) -> float | None:
    """The duration that ``part`` (0 to 1) of those counted did not exceed; None where nothing was counted."""
    wanted = max(math.ceil(sum(counts) * part), 1)
    seen = 0
    for bucket, count in enumerate(counts):
        seen += count
        if seen >= wanted:
            return _middle_seconds(bucket)
    return None


def _middle_seconds(bucket: int) -> float:
    """As far from both ends of the bucket, in proportion."""
    end = FIRST_SECONDS * GROWTH**bucket
    return end / 2 if bucket == 0 else end / math.sqrt(GROWTH)
