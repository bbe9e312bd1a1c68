"""Errors on the wire: RFC 9457 problem documents with a stable ``code``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class FieldError(BaseModel):
    """One field that is wrong."""

    field: str
    message: str
    code: str


class Problem(BaseModel):
    """What went wrong, for a person (``detail``) and for a program (``code``)."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] | None = None
