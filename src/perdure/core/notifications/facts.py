"""What a message says of a job, in words: a snapshot's values, cleaned, and worded once for all templates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from perdure.models.outcome import ErrorReason, storable

_MAX_LINE = 200

# Controls, and the characters that turn the direction of writing, by which a text can pose as another.
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_LINE_END = re.compile(r"\r\n|[\r\u0085\u2028\u2029]")

_WHY = {
    ErrorReason.RETRIES_EXHAUSTED: "It raised an error, and no attempts are left.",
    ErrorReason.NOT_RETRYABLE: "It said that trying again would not help.",
    ErrorReason.TIMED_OUT: "It took longer than its time limit, and no attempts are left.",
    ErrorReason.WORKER_LOST: "Its worker vanished while it ran, and no attempts are left.",
    ErrorReason.EXPIRED: "It was too late to run it.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """Each is ready to be shown; None (or an empty text) where there is nothing to say."""

    job_id: str
    job_type: str
    queue: str
    run: int
    attempts: str
    created: str | None
    started: str | None
    finished: str | None
    took: str | None
    user_id: str | None
    result: str | None
    error_title: str | None
    error_type: str | None
    error_message: str | None
    error_why: str | None

    @classmethod
    def of(cls, snapshot: Mapping[str, Any]) -> JobFacts:
        """The facts of a delivery's snapshot; one kept by older code may lack some."""
        started, finished = _moment(snapshot.get("started_at")), _moment(snapshot.get("finished_at"))
        error = snapshot.get("error") or {}
        user_id, result = snapshot.get("user_id"), snapshot.get("result")
        return cls(
            job_id=one_line(snapshot["job_id"]),
            job_type=one_line(snapshot["job_type"]),
            queue=one_line(snapshot["queue"]),
            run=snapshot["run"],
            attempts=f"{snapshot['attempt']} of {snapshot['max_attempts']}",
            created=_shown(_moment(snapshot.get("created_at"))),
            started=_shown(started),
            finished=_shown(finished),
            took=None if started is None or finished is None else duration((finished - started).total_seconds()),
            user_id=None if user_id is None else one_line(user_id),
            result=None if result is None else lines(result),
            error_title=one_line(f"{error['type']}: {error['message']}") if error else None,
            error_type=one_line(error["type"]) if error else None,
            error_message=lines(error["message"]) if error else None,
            error_why=_WHY[ErrorReason(error["reason"])] if error else None,
        )


def occurred_at(snapshot: Mapping[str, Any]) -> datetime | None:
    """When the job came to the event that the snapshot was taken at."""
    return _moment(snapshot.get("finished_at"))


def one_line(text: str, limit: int = _MAX_LINE) -> str:
    """``text`` on one line without anything invisible, at most ``limit`` characters."""
    line = " ".join(_UNSEEN.sub("", lines(text)).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def lines(text: str) -> str:
    """``text`` with ordinary line ends and without anything invisible."""
    return _UNSEEN.sub("", _LINE_END.sub("\n", storable(text)))


def duration(seconds: float) -> str:
    """``seconds`` in the two units that matter: ``420 ms``, ``3.2 s``, ``4 min 5 s``, ``2 h 3 min``, ``3 d 4 h``."""
    if seconds < 1:
        return f"{max(round(seconds * 1000), 0)} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {left} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def _shown(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.day} {moment:%b %Y, %H:%M:%S} UTC"
