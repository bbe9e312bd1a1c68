"""Which jobs are meant, and what that says about a row. How such rows are found is the business of ``job_search``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text

from perdure.db.base import quoted
from perdure.db.models.job import EMAIL, ENDED_WITH_ERROR, ERROR_GROUP, ERROR_TEXT, HAS_GROUP, USER, WORD_ENDS
from perdure.models.lifecycle import JobStatus
from perdure.repositories.id_bounds import LAST_ID, made_at
from perdure.schemas.job_filter import JobFilterShape

MIN_ID_DIGITS = 4

# The values that are asked for, of the expressions that are indexed: each is made in the way that they are.
ASKED_USER = USER.replace("context ->> 'user_id'", "CAST(:user_id AS text)")
ASKED_EMAIL = EMAIL.replace("context ->> 'email'", "CAST(:email AS text)")
HAS_WORDS = f"{ERROR_TEXT} @@ plainto_tsquery('simple', translate(CAST(:q AS text), {WORD_ENDS}))"

_ID_DIGITS = 32
_ID_OR_BEGINNING = re.compile(r"[0-9a-f-]+", re.IGNORECASE)

# A row of ``perdure.jobs`` matches a field that is given if this is true of it.
_CONDITIONS = {
    "job_type": "job_type = :job_type",
    "queue": "queue = :queue",
    "user_id": "context ->> 'user_id' = :user_id",
    "email": f"{EMAIL} = {ASKED_EMAIL}",
    "tag": "tags @> jsonb_build_array(CAST(:tag AS text))",
    "error_group": f"{HAS_GROUP} AND {ERROR_GROUP} = :error_group",
    "q": f"{ENDED_WITH_ERROR} AND {HAS_WORDS}",
    "created_after": "created_at >= :created_after",
    "created_before": "created_at < :created_before",
}
_BEGINS_SO = "job_id >= :first AND job_id < :beyond"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Jobs that match all that is given; None and empty leave a condition out."""

    status: Sequence[JobStatus] = ()
    job_type: str | None = None
    queue: str | None = None
    user_id: str | None = None
    email: str | None = None
    tag: str | None = None
    error_group: str | None = None
    q: str | None = None
    """Words of an error, or the beginning of an id: either will do."""
    created_after: datetime | None = None
    created_before: datetime | None = None

    @classmethod
    def read(cls, sent: JobFilterShape) -> JobFilter:
        return cls(**{name: getattr(sent, name) for name in cls.__dataclass_fields__})

    def conditions(self) -> list[TextClause]:
        """What is true of the rows of ``perdure.jobs`` that match, for whoever has rows at hand. It finds none."""
        conditions = self.sql(besides=["q"])
        parameters = self.parameters()
        if self.q is not None:
            conditions.append(f"({_CONDITIONS['q']}{'' if self.ids is None else f' OR {_BEGINS_SO}'})")
        if self.ids is not None:
            parameters |= dict(zip(("first", "beyond"), self.ids, strict=True))
        return [text(" AND ".join(conditions)).bindparams(**parameters)] if conditions else []

    def sql(self, *, besides: Sequence[str] = ()) -> list[str]:
        """The same as text that names its values (``parameters``), without what the fields ``besides`` say.

        Of ``q`` it says the words alone: the ids are a stretch of the primary key (``ids``).
        """
        found = [f"status IN ({quoted(self.status)})"] if self.status and "status" not in besides else []
        given = (name for name in _CONDITIONS if name not in besides and getattr(self, name) is not None)
        return found + [_CONDITIONS[name] for name in given]

    def parameters(self) -> dict[str, Any]:
        return {name: value for name in _CONDITIONS if (value := getattr(self, name)) is not None}

    def newer_than(self, job_id: UUID) -> JobFilter:
        """The same jobs, without most of those that were made before the one with this id."""
        begin = made_at(job_id)
        return replace(self, created_after=max(begin, self.created_after or begin))

    @property
    def ids(self) -> tuple[UUID, UUID] | None:
        """The first id that begins like ``q``, and one beyond the last; None where that is no beginning of an id."""
        if self.q is None or not _ID_OR_BEGINNING.fullmatch(self.q):
            return None
        digits = self.q.replace("-", "")
        if not MIN_ID_DIGITS <= len(digits) <= _ID_DIGITS:
            return None
        first, last = (UUID(digits.ljust(_ID_DIGITS, digit)) for digit in "0f")
        return first, UUID(int=min(last.int + 1, LAST_ID.int))
