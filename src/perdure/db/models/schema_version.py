"""The ``schema_version`` table: one row that says how old a code may be to work on this schema.

A migration that only adds leaves it alone, so old and new code run side by side; one that takes something away
raises it.
"""

from __future__ import annotations

from sqlalchemy import Integer
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base


class SchemaVersionRow(Base):
    __tablename__ = "schema_version"

    singleton: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    minimum_code_version: Mapped[int] = mapped_column(Integer)
