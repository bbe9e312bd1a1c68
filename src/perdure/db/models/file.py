"""The tables of files: what is known of each, which job names it, and where its bytes may lie.

The bytes lie in the file store, under the file's id. ``file_removals`` is the note that bytes may be there which no
row of ``files`` owns: it is made before they are written, taken away in the transaction that adds the row, and made
again in the one that removes it. So no crash leaves bytes that nobody knows of.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, Timestamp, UuidType
from perdure.models.file import FileRole


class FileRow(Base):
    __tablename__ = "files"

    file_id: Mapped[UUID] = mapped_column(UuidType, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    content_type: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Timestamp)


class JobFileRow(Base):
    __tablename__ = "job_files"

    job_id: Mapped[UUID] = mapped_column(UuidType, primary_key=True)
    file_id: Mapped[UUID] = mapped_column(UuidType, primary_key=True)
    role: Mapped[str] = mapped_column(Text)

    __table_args__ = (
        CheckConstraint(f"role IN ({', '.join(repr(role.value) for role in FileRole)})", name="role"),
        Index("job_files_file_id", "file_id"),
    )


class FileRemovalRow(Base):
    __tablename__ = "file_removals"

    file_id: Mapped[UUID] = mapped_column(UuidType, primary_key=True)
    due_at: Mapped[datetime] = mapped_column(Timestamp)

    __table_args__ = (Index("file_removals_due_at", "due_at"),)


class FileStoreRow(Base):
    """One row, made with the first file: the id that the folder of the file store carries too."""

    __tablename__ = "file_store"

    singleton: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    store_id: Mapped[UUID] = mapped_column(UuidType)
