"""Files on the wire."""

from __future__ import annotations

from uuid import UUID

from perdure.schemas.base import Answer, Moment


class FileAnswer(Answer):
    """A stored file. A payload names it by ``file_id``."""

    file_id: UUID
    name: str
    content_type: str
    size_bytes: int
    sha256: str
    created_at: Moment
