"""What can be asked of the suppression list by hand: list addresses, and take one off it."""

from __future__ import annotations

from collections.abc import Sequence

from uuid_utils.compat import uuid7

from perdure.db.session import Database
from perdure.errors import NotFound
from perdure.models.suppression import Suppression, SuppressionReason, listed_as
from perdure.repositories.suppression_repository import SuppressionRepository


class SuppressionCommands:
    """The verbs on the list, each its own unit of work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, addresses: Sequence[str], reason: SuppressionReason, note: str | None, added_by: str
    ) -> tuple[int, int]:
        """Lists the addresses; returns how many were added, and how many were listed already (and stay as they are)."""
        now = self._database.clock.now()
        wanted = dict.fromkeys(listed_as(address) for address in addresses)
        suppressions = [
            Suppression(
                suppression_id=uuid7(), address=address, reason=reason, added_by=added_by, created_at=now, note=note
            )
            for address in wanted
        ]
        async with self._database.transaction() as connection:
            added = await SuppressionRepository(connection).add(suppressions)
        return added, len(wanted) - added

    async def remove(self, address: str) -> None:
        """From its commit on the address is told again. What was suppressed stays so, until it is sent again."""
        async with self._database.transaction() as connection:
            if not await SuppressionRepository(connection).remove(address):
                raise NotFound("The address is not on the suppression list. `GET /v1/suppressions` has those that are.")
