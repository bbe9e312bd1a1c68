"""Explanations on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic import Field

from perdure.models.explanation import ReasonCode
from perdure.models.lifecycle import JobStatus
from perdure.schemas.base import Answer


class ReasonAnswer(Answer):
    """One reason: a stable code, a sentence, and the values in it."""

    code: ReasonCode
    message: str
    data: Mapping[str, Any]


class ExplanationAnswer(Answer):
    """Why a job stands where it stands, as far as is known now."""

    job_id: UUID
    status: JobStatus
    summary: str = Field(description="the decisive reason, as a sentence")
    reasons: list[ReasonAnswer] = Field(description="the decisive one first")
