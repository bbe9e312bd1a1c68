"""When a request is the same as an earlier one under its key: when it declares the same, however it is written.

The order of keys means nothing, and null is as good as left out. What is kept to compare with is a digest of each
field and of its members, so that the fields that differ can be named, and no value of them is needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel

from perdure.errors import IdempotencyKeyReused
from perdure.models.submission import FirstSubmission
from perdure.schemas.job import JobCreate
from perdure.schemas.strict_json import PLAIN_KEY

KEPT = timedelta(hours=24)
"""How long a key is known."""
MAX_MEMBERS = 32
"""An object that has more is compared as a whole."""
RESEND_OF = "resend_of"
_DIGEST_BYTES = 8


def submission_of(job_id: UUID, sent: JobCreate) -> FirstSubmission:
    """What is kept of a submission."""
    digests: dict[str, str] = {}
    for name in JobCreate.model_fields:
        value = getattr(sent, name)
        if value is None:
            continue
        digests[name] = _digest(value)
        if isinstance(value, dict) and len(value) <= MAX_MEMBERS:  # a key that is no plain name may be anything
            named = {key: member for key, member in value.items() if PLAIN_KEY.fullmatch(key)}
            digests |= {f"{name}.{key}": _digest(member) for key, member in named.items()}
    return FirstSubmission(job_id, digests)


def resend_of(delivery_id: UUID, again_id: UUID) -> FirstSubmission:
    """What is kept of the request to send a delivery again: the id of the further one takes the place of a job's."""
    return FirstSubmission(again_id, {RESEND_OF: str(delivery_id)})


def check_same(first: FirstSubmission, again: FirstSubmission) -> None:
    """Raises ``IdempotencyKeyReused`` where the two do not declare the same."""
    differing = _differing(first.digests, again.digests)
    if differing:
        raise IdempotencyKeyReused(first.job_id, differing, "delivery" if RESEND_OF in first.digests else "job")


def _differing(first: Mapping[str, str], again: Mapping[str, str]) -> list[str]:
    """The paths of what differs, the members rather than the field that holds them."""
    paths = {path for path in first.keys() | again.keys() if first.get(path) != again.get(path)}
    holders = {path.partition(".")[0] for path in paths if "." in path}
    return sorted(paths - holders)


def _digest(value: Any) -> str:
    written = orjson.dumps(value, default=_members, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(written, digest_size=_DIGEST_BYTES).hexdigest()


def _members(value: BaseModel) -> dict[str, Any]:
    return value.model_dump()
