"""API keys as they are shown: everything but the secret."""

from __future__ import annotations

from typing import Annotated

from pydantic import PlainSerializer

from perdure.models.api_key import Scope
from perdure.schemas.base import Answer, Moment


class ApiKeyAnswer(Answer):
    """A key. What it asks with is shown once, by the command that made it."""

    key_id: str
    name: str
    scopes: Annotated[frozenset[Scope], PlainSerializer(sorted)]
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None
    last_used_at: Moment | None
