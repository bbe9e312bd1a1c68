"""A file as the platform knows it. Its bytes lie in the file store, under ``file_id``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

ANY_BYTES = "application/octet-stream"
MAX_NAME = 255
NAME_PATTERN = r"^[^\x00-\x1f\x7f/\\]+$"
"""What a file may be called: no control character, nothing that could lead out of a folder."""

_NAME = re.compile(NAME_PATTERN)
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}", re.ASCII)
_FILE_ID_LENGTH = 36
_FILE_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_VERSION_IN_ID = re.compile(rb"-7[0-9a-f]{3}-")


class FileRole(StrEnum):
    """What a file is to a job."""

    INPUT = "input"
    """The job's payload names it."""
    OUTPUT = "output"
    """An attempt of the job saved it, and succeeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A stored file; ``sha256`` in hex."""

    file_id: UUID
    name: str
    content_type: str
    size_bytes: int
    sha256: str
    created_at: datetime


def is_file_name(name: str) -> bool:
    return len(name) <= MAX_NAME and _NAME.fullmatch(name) is not None


def media_type(sent: str) -> str:
    """The media type without its parameters; "any bytes" for what is none."""
    plain = sent.partition(";")[0].strip().lower()
    return plain if _MEDIA_TYPE.fullmatch(plain) else ANY_BYTES


def may_name_files(json: bytes) -> bool:
    """Whether there may be a file's id in a JSON text, if it is written without escapes. Soon told, and mostly no."""
    return _VERSION_IN_ID.search(json) is not None


def possible_file_ids(payload: Any) -> set[UUID]:
    """Every string in the payload that has the form of our files' ids (UUIDv7, in lower case)."""
    found: set[UUID] = set()
    left = [payload]
    for value in left:  # what lies inside is looked at after it
        kind = type(value)
        if kind is str:
            if len(value) == _FILE_ID_LENGTH and _FILE_ID.fullmatch(value):
                found.add(UUID(value))
        elif kind is dict:
            left += value.values()
        elif kind is list:
            left += value
    return found
