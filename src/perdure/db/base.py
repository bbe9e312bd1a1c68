"""What all tables share: the schema's name, how constraints are called, how columns and states are written down.

Everything of ours lives in the schema ``perdure`` and is named in full in every statement, so that a user's own
database can be shared and no ``search_path`` can lead a statement astray.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import ARRAY, Column, DateTime, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase

SCHEMA = "perdure"


class Base(DeclarativeBase):
    metadata = MetaData(
        schema=SCHEMA,
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "ix": "%(table_name)s_%(column_0_N_name)s",
            "uq": "%(table_name)s_%(column_0_N_name)s",
            "ck": "%(table_name)s_%(constraint_name)s",
        },
    )


Timestamp = DateTime(timezone=True)
TextArray = ARRAY(Text)
UuidType = Uuid(as_uuid=True)
Json = JSONB(none_as_null=True)


def table_of(row: type[Base]) -> Table:
    return cast("Table", row.__table__)


def quoted(members: Iterable[StrEnum]) -> str:
    """Members of one enumeration as a SQL list, in the order in which it names them."""
    wanted = list(members)
    return ", ".join(f"'{member.value}'" for member in type(wanted[0]) if member in wanted)


def columns_of(row: type[Base]) -> tuple[Column[Any], ...]:
    return tuple(table_of(row).columns)
