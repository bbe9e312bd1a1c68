"""An API key as it is known after its making: who it is, what it may ask, until when. Never its secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Scope(StrEnum):
    """What a key may ask. Each stands for itself alone; ``ADMIN`` stands for all."""

    READ = "read"
    """Look at everything: jobs with payloads and results, files, deliveries, operations."""
    SUBMIT = "submit"
    """Submit jobs and upload files."""
    WORK = "work"
    """Claim jobs and conclude them, as a worker."""
    OPERATE = "operate"
    """Change what others submitted: cancel, retry, resend, pause, delete."""
    ADMIN = "admin"
    """Everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    key_id: str
    name: str
    scopes: frozenset[Scope]
    secret_hash: bytes
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def is_live(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def allows(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def state(self, now: datetime) -> str:
        """``live``, ``revoked`` or ``expired``."""
        if self.revoked_at is not None:
            return "revoked"
        return "live" if self.is_live(now) else "expired"
