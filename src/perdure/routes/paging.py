"""Lists a page at a time, newest first: a cursor is the id that the page before ended with, opaque to callers.

Ids are ordered by time, so a page costs the same wherever it lies, and nothing that is added meanwhile moves it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar
from uuid import UUID

from pydantic import Field

from perdure.errors import InvalidCursor

Item = TypeVar("Item")

DEFAULT_LIMIT = 50
Limit = Annotated[int, Field(ge=1, le=200, description="how many a page")]
Cursor = Annotated[Annotated[str, Field(max_length=100)] | None, Field(description="`next_cursor` of the page before")]


def page_of(found: Sequence[Item], limit: int, id_of: Callable[[Item], UUID]) -> tuple[Sequence[Item], str | None]:
    """The page, and the cursor of the next one if there is one: ``found`` is what was read, one more than ``limit``."""
    page = found[:limit]
    return page, write_cursor(id_of(page[-1])) if len(found) > limit else None


def write_cursor(last_id: UUID) -> str:
    return base64.urlsafe_b64encode(last_id.bytes).decode().rstrip("=")


def read_cursor(cursor: str | None) -> UUID | None:
    """The id that the page before ended with. Raises ``InvalidCursor``."""
    if cursor is None:
        return None
    try:
        return UUID(bytes=base64.b64decode(cursor + "==", altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        raise InvalidCursor(
            "This is no cursor of this list. Take `next_cursor` of the page before, unchanged."
        ) from None
