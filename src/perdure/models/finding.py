"""What a look at one part of the set-up found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    """It works, but not for long, not for everybody, or it could not be told."""
    FAIL = "fail"
    """Something that Perdure is asked to do cannot be done."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One result, in words for an operator: no secret in them, no whole address."""

    level: Level
    found: str
    advice: str = ""
    """What to do next; empty where nothing is to be done, or where ``found`` says it."""
