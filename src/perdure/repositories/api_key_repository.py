"""Reads and writes API keys. None is ever removed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import RowMapping, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import table_of
from perdure.db.models import ApiKeyRow
from perdure.models.api_key import ApiKey, Scope

_KEYS = table_of(ApiKeyRow)

# Two first starts at once make one key between them: the second waits here, and then finds it.
_ONE_AT_A_TIME = text("LOCK TABLE perdure.api_keys IN SHARE ROW EXCLUSIVE MODE")


class ApiKeyRepository:
    """The keys, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, key: ApiKey) -> None:
        await self._connection.execute(
            insert(_KEYS).values(
                key_id=key.key_id,
                name=key.name,
                scopes=sorted(key.scopes),
                secret_hash=key.secret_hash,
                created_at=key.created_at,
                expires_at=key.expires_at,
            )
        )

    async def add_first(self, key: ApiKey) -> bool:
        """Stores the key if none was ever made, and says whether it did."""
        await self._connection.execute(_ONE_AT_A_TIME)
        if await self.any_was_made():
            return False
        await self.add(key)
        return True

    async def any_was_made(self) -> bool:
        """Revoked and expired ones count."""
        return bool((await self._connection.execute(select(select(_KEYS.c.key_id).exists()))).scalar_one())

    async def get(self, key_id: str) -> ApiKey | None:
        query = select(_KEYS).where(ApiKeyRow.key_id == key_id)
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else _key(row)

    async def all(self) -> list[ApiKey]:
        """Oldest first."""
        query = select(_KEYS).order_by(ApiKeyRow.created_at, ApiKeyRow.key_id)
        return [_key(row) for row in (await self._connection.execute(query)).mappings()]

    async def revoke(self, key_id: str, now: datetime) -> None:
        """The moment of the first revocation stays."""
        changed = {"revoked_at": func.coalesce(ApiKeyRow.revoked_at, now)}
        await self._connection.execute(update(_KEYS).where(ApiKeyRow.key_id == key_id).values(**changed))

    async def note_use(self, key_id: str, now: datetime) -> None:
        await self._connection.execute(update(_KEYS).where(ApiKeyRow.key_id == key_id).values(last_used_at=now))


def _key(row: RowMapping) -> ApiKey:
    return ApiKey(**(dict(row) | {"scopes": frozenset(map(Scope, row["scopes"]))}))
