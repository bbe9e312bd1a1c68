"""Where the name of a webhook endpoint leads, asked right before each call: so a change holds from the next try on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from perdure.db.session import Database
from perdure.models.webhook_endpoint import EndpointState
from perdure.repositories.endpoint_repository import EndpointRepository


@dataclass(frozen=True, slots=True)
class Target:
    """A place to call, and the secrets (``whsec_…``) that sign for it, each by itself."""

    url: str
    secrets: tuple[str, ...] = field(repr=False)


class Endpoints(Protocol):
    """What the webhook provider asks."""

    async def resolve(self, name: str, /) -> Target | None:
        """Where the endpoint is; None when there is none, or it is disabled. Raises ``Unavailable``."""
        ...


class NoEndpoints:
    """Where there is no database to ask."""

    async def resolve(self, _name: str) -> Target | None:
        return None


NO_ENDPOINTS = NoEndpoints()


class StoredEndpoints:
    """Those in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def resolve(self, name: str) -> Target | None:
        async with self._database.snapshot() as connection:
            endpoint = await EndpointRepository(connection).get(name)
        if endpoint is None or endpoint.state is EndpointState.DISABLED:
            return None
        return Target(endpoint.url, endpoint.signing(self._database.clock.now()))
