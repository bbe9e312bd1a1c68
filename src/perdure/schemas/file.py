"""Files on the wire."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from perdure.models.file import FileRole
from perdure.schemas.base import Answer, Moment


class FileAnswer(Answer):
    """A stored file. A payload names it by ``file_id``."""

    file_id: UUID
    name: str
    content_type: str
    size_bytes: int
    sha256: str = Field(description="in hex")
    created_at: Moment


class JobFileAnswer(FileAnswer):
    """A file of a job."""

    role: FileRole = Field(description="input: the payload names it; output: the job saved it")


class JobFileList(Answer):
    items: list[JobFileAnswer]
    next_cursor: None = None
