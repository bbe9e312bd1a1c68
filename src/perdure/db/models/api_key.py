"""The ``api_keys`` table: who may ask what. The secret itself is nowhere, only its SHA-256.

Rows are never removed: that a key was ever made is what makes every request need one.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, TextArray, Timestamp
from perdure.models.api_key import Scope

_SCOPES = ", ".join(f"'{scope.value}'" for scope in Scope)


class ApiKeyRow(Base):
    __tablename__ = "api_keys"

    key_id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    scopes: Mapped[list[str]] = mapped_column(TextArray)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    expires_at: Mapped[datetime | None] = mapped_column(Timestamp)
    revoked_at: Mapped[datetime | None] = mapped_column(Timestamp)
    last_used_at: Mapped[datetime | None] = mapped_column(Timestamp)
    """To the minute: it is written at most once in a minute of use."""

    __table_args__ = (CheckConstraint(f"cardinality(scopes) > 0 AND scopes <@ ARRAY[{_SCOPES}]", name="scopes"),)
