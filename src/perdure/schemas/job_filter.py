"""Which jobs are meant: one definition for the list and for whatever acts on all that match.

How each filter is answered is decided in ``repositories/job_search.py``. A job must match all that are given.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictStr

from perdure.models.fingerprint import LENGTH as FINGERPRINT_LENGTH
from perdure.models.lifecycle import JobStatus
from perdure.schemas.base import Moment, Request
from perdure.schemas.job import Name

MAX_LENGTH = 254
"""One less than the indexes hold of a value (``db/models/job.py``), so that what they hold is decisive."""

Words = Annotated[StrictStr, Field(min_length=1, max_length=MAX_LENGTH, pattern=r"^[^\x00]*$")]
"""Anything that PostgreSQL can be asked for."""
Fingerprint = Annotated[StrictStr, Field(pattern=rf"^[0-9a-f]{{{FINGERPRINT_LENGTH}}}$")]


class JobFilterShape(Request):
    """Filters; those that are left out, null or empty say nothing."""

    status: list[JobStatus] = Field([], description="any of these")
    job_type: Name | None = Field(None, description="only this job type")
    queue: Name | None = Field(None, description="only this queue")
    user_id: Words | None = Field(None, description="only with this `context.user_id`")
    email: Words | None = Field(None, description="only with this `context.email`, be its letters upper or lower case")
    tag: Name | None = Field(None, description="only with this tag")
    error_group: Fingerprint | None = Field(None, description="only ended with an error of this `fingerprint`")
    q: Words | None = Field(
        None,
        description="a job's id or its beginning (four hexadecimal digits or more), or whole words of the type and "
        "message of the error that it ended with",
    )
    created_after: Moment | None = Field(None, description="only newer ones, or made at this moment")
    created_before: Moment | None = Field(None, description="only older ones")

    @property
    def is_empty(self) -> bool:
        """Whether it names no condition, so that every job matches."""
        return not self.model_dump(include=set(JobFilterShape.model_fields), exclude_defaults=True)
