"""The ``files`` table: what is known of each stored file. The bytes lie in the file store, under the same id."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, Timestamp, UuidType


class FileRow(Base):
    __tablename__ = "files"

    file_id: Mapped[UUID] = mapped_column(UuidType, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    content_type: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Timestamp)
