"""How values are put in the words of a sentence: moments, durations, and as much of a text as a sentence bears."""

from __future__ import annotations

from datetime import datetime

MESSAGE_LENGTH = 200
"""Characters of somebody's message that an explanation repeats."""
SECONDS_TOLD, MINUTES_TOLD = 120, 120
"""So many are told as they are; more, in the next larger unit."""


def first_line(text: str) -> str:
    """The first line, as much as a sentence bears."""
    return text.partition("\n")[0][:MESSAGE_LENGTH].rstrip(".")


def duration(seconds: float) -> str:
    if seconds < SECONDS_TOLD:
        return f"{max(seconds, 1):.0f} s"
    if seconds < MINUTES_TOLD * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.0f} h"


def moment(at: datetime | None) -> str:
    return "an unknown time" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"
