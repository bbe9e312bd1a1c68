"""API keys: made, listed, revoked. The key itself is shown once, to whoever made it, and kept nowhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from perdure.core.key_format import generate_key, read_key
from perdure.db.session import Database
from perdure.errors import ConfigurationError, NotFound
from perdure.models.api_key import ApiKey, Scope
from perdure.repositories.api_key_repository import ApiKeyRepository

BOOTSTRAP_NAME = "bootstrap"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. ``token`` is what a client sends; it cannot be had again."""

    token: str
    key: ApiKey


class ApiKeys:
    """The verbs on keys, each its own unit of work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, name: str, scopes: Iterable[Scope], expires_in: timedelta | None = None) -> NewKey:
        token = generate_key()
        now = self._database.clock.now()
        key = _key_of(token, name, scopes, now, None if expires_in is None else now + expires_in)
        async with self._database.transaction() as connection:
            await ApiKeyRepository(connection).add(key)
        return NewKey(token, key)

    async def list(self) -> list[ApiKey]:
        """Every key ever made, oldest first."""
        async with self._database.snapshot() as connection:
            return await ApiKeyRepository(connection).all()

    async def revoke(self, key_id: str) -> ApiKey:
        """Ends the key for good; to revoke it again changes nothing. Running servers notice within a second."""
        async with self._database.transaction() as connection:
            keys = ApiKeyRepository(connection)
            await keys.revoke(key_id, self._database.clock.now())
            key = await keys.get(key_id)
        if key is None:
            raise NotFound("There is no key with this id. `perdure keys list` shows those there are.")
        return key

    async def any_was_made(self) -> bool:
        """From then on, every request needs a key; revoked and expired ones count."""
        async with self._database.snapshot() as connection:
            return await ApiKeyRepository(connection).any_was_made()

    async def bootstrap(self, token: str) -> bool:
        """Makes ``token`` the one admin key of a new platform, unless a key was ever made; says whether it did.

        So a container that starts again with the same environment brings no revoked key back.
        """
        async with self._database.transaction() as connection:
            key = _key_of(token, BOOTSTRAP_NAME, [Scope.ADMIN], self._database.clock.now())
            return await ApiKeyRepository(connection).add_first(key)


def _key_of(
    token: str, name: str, scopes: Iterable[Scope], now: datetime, expires_at: datetime | None = None
) -> ApiKey:
    presented = read_key(token)
    if presented is None:
        raise ConfigurationError(
            "PERDURE_BOOTSTRAP_KEY is no key of Perdure, or was copied badly. Make one with `perdure keys generate`."
        )
    return ApiKey(
        key_id=presented.key_id,
        name=name,
        scopes=frozenset(scopes),
        secret_hash=presented.secret_hash,
        created_at=now,
        expires_at=expires_at,
    )
