"""A submission that may be repeated: the key it is known by, and what it came to the first time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from perdure.models.job import Job


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A key of one caller's: the id of its API key, or an empty one where none is asked for."""

    caller: str
    key: str


@dataclass(frozen=True, slots=True)
class FirstSubmission:
    """What was submitted under a key: its job, and a digest of each field that was sent, by the field's path."""

    job_id: UUID
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Submission:
    """What a submission came to. ``is_replay``: an earlier one under the same key made the job."""

    job: Job
    is_replay: bool
