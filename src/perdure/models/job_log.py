"""The log that a job's attempts write with ``ctx.log``, and how much of it is kept.

A run keeps so many lines and bytes. Each attempt may take half of what those before it left, so that none of them can
silence a later one; what is over is counted, and the attempt's last line says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from perdure.models.outcome import storable

MAX_CHARACTERS = 2_000
"""Of a message; a longer one is cut, and says how much is missing."""
MAX_LINES, MAX_BYTES = 2_000, 524_288
"""Of all attempts of a run together; bytes are those of the messages, in UTF-8."""
LINES_OF_A_CLAIM = 10_000
"""Apart are the numbers of the first lines that one claim of a job and the next may write: more than either can."""

Level = Literal["info", "warning", "error"]


class LogLevel(StrEnum):
    """How much a line matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line as it is kept. ``line`` rises with each one of the job; from an attempt to the next it leaps."""

    job_id: UUID
    line: int
    run: int
    attempt: int
    at: datetime
    level: LogLevel
    message: str


@dataclass(frozen=True, slots=True)
class Room:
    """So many lines, and so many bytes of messages."""

    lines: int
    size_bytes: int

    def __sub__(self, used: Room) -> Room:
        return Room(max(self.lines - used.lines, 0), max(self.size_bytes - used.size_bytes, 0))

    @property
    def half(self) -> Room:
        return Room(self.lines // 2, self.size_bytes // 2)


ROOM_OF_A_RUN = Room(MAX_LINES, MAX_BYTES)


def shortened(message: str) -> str:
    """The message as it can be kept: at most ``MAX_CHARACTERS``, and how many more there were."""
    if len(message) <= MAX_CHARACTERS:
        return storable(message)
    missing = f"… ({len(message):,} characters)"
    return storable(message[: MAX_CHARACTERS - len(missing)]) + missing


def first_line(fence: int) -> int:
    """Before the number of the first line that the claim with this fence may write."""
    return fence * LINES_OF_A_CLAIM
