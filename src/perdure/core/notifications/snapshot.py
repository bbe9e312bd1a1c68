"""The job as an event found it: what a delivery keeps to tell, whatever becomes of the job later.

Excerpts only, each bounded, the whole at most ``MAX_BYTES`` of JSON: a result may be large, and no traceback is told.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson

from perdure.models.job import Job
from perdure.models.outcome import JobError, storable

MAX_BYTES = 8_192
MAX_EXCERPT = 2_000
_MAX_EXCERPT_BYTES = 5_000
_MAX_NAME = 200
_MAX_NAME_BYTES = 400
_MOST_BYTES = 6
"""Of a character in JSON, its escape; a short text need not be measured."""


def snapshot_of(job: Job) -> dict[str, Any]:
    """What is told of ``job``, as JSON."""
    user_id = job.context.get("user_id") if isinstance(job.context, dict) else None
    return {
        "job_id": str(job.job_id),
        "job_type": _cut_name(job.job_type),
        "queue": _cut_name(job.queue),
        "run": job.run,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "created_at": _iso(job.created_at),
        "started_at": _iso(job.started_at),
        "finished_at": _iso(job.finished_at),
        "user_id": _cut_name(user_id) if isinstance(user_id, str) else None,
        "error": None if job.error is None else _error(job.error),
        "result": None if job.result is None or job.error is not None else _result_excerpt(job.result),
    }


def _error(error: JobError) -> dict[str, str]:
    return {
        "reason": error.reason.value,
        "type": _cut_name(error.type),
        "message": _cut(error.message, MAX_EXCERPT, _MAX_EXCERPT_BYTES),
    }


def _result_excerpt(result: Any) -> str:
    """The beginning of ``result`` as indented JSON; no more of it is written out than is kept."""
    pieces: list[str] = []
    length = 0
    for piece in json.JSONEncoder(indent=2, ensure_ascii=False, default=str).iterencode(result):
        pieces.append(piece)
        length += len(piece)
        if length > MAX_EXCERPT:
            break
    return _cut("".join(pieces), MAX_EXCERPT, _MAX_EXCERPT_BYTES)


def _iso(moment: datetime | None) -> str | None:
    """As ``isoformat()`` writes it, in a quarter of its time."""
    return None if moment is None else orjson.dumps(moment)[1:-1].decode()


@lru_cache(maxsize=1_000)  # job after job has the same
def _cut_name(text: str) -> str:
    return _cut(text, _MAX_NAME, _MAX_NAME_BYTES)


def _cut(text: str, limit: int, limit_bytes: int) -> str:
    """``text``, or its beginning and an ellipsis: at most ``limit`` characters, and ``limit_bytes`` bytes of JSON."""
    kept = storable(text[: limit + 1])
    if len(kept) <= limit and (len(kept) * _MOST_BYTES + 2 <= limit_bytes or _size(kept) <= limit_bytes):
        return kept
    fits = bisect_right(range(limit), limit_bytes, key=lambda length: _size(kept[:length] + "…")) - 1
    return kept[: max(fits, 0)] + "…"


def _size(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode())
