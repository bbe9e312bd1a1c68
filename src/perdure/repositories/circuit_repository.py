"""Writes circuits: what calls came to is added under a lock, so that no process overwrites what another has learnt."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import columns_of
from perdure.db.models import CircuitRow
from perdure.models.circuit import Circuit, CircuitState
from perdure.repositories.delivery_claims import DeliveryClaims
from perdure.repositories.statements import column_list, unnest

_COLUMNS = columns_of(CircuitRow)
_CIRCUIT = column_list(_COLUMNS, "circuit")

# Each waits for the one before it, all in one order: so there is no deadlock, and nothing that was counted is lost.
_HOLD = text(f"""
    SELECT {_CIRCUIT} FROM perdure.circuits AS circuit
    JOIN unnest(CAST(:provider AS text[]), CAST(:destination AS text[])) AS wanted(provider, destination)
        USING (provider, destination)
    ORDER BY circuit.provider, circuit.destination FOR UPDATE OF circuit
""")

_HOLD_OF_PROVIDER = text(f"""
    SELECT {_CIRCUIT} FROM perdure.circuits AS circuit
    WHERE circuit.provider = :provider ORDER BY circuit.destination FOR UPDATE
""")

_KEY = {"provider", "destination"}
# The rate is the claims' business.
_SAVED = tuple(one for one in _COLUMNS if one.name not in _KEY | {"next_free_at"})
_WIRE = tuple(one for one in _COLUMNS if one.name in _KEY) + _SAVED

_SAVE = text(f"""
    UPDATE perdure.circuits AS circuit SET {", ".join(f"{one.name} = new.{one.name}" for one in _SAVED)}
    FROM {unnest(_WIRE, "new")} WHERE circuit.provider = new.provider AND circuit.destination = new.destination
""")

# Destinations that nobody called for a month, and that nothing is known against.
_FORGET = text("""
    DELETE FROM perdure.circuits
    WHERE state = 'CLOSED' AND greatest(since, failed_at, next_free_at) < clock_timestamp() - interval '30 days'
""")

# Whoever starts may have been given what was missing: paused circuits may be probed at once.
_PROBE_PAUSED = text("""
    UPDATE perdure.circuits SET blocked_until = NULL
    WHERE (provider, destination) IN (
        SELECT provider, destination FROM perdure.circuits
        WHERE state = 'PAUSED' AND provider = ANY (CAST(:providers AS text[]))
        ORDER BY provider, destination FOR UPDATE SKIP LOCKED)
""")


class CircuitRepository:
    """The writing side, on one transaction's connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def hold(self, keys: Collection[tuple[str, str]]) -> list[Circuit]:
        """The circuits (provider, destination), made where they are not there yet, until the transaction ends."""
        await DeliveryClaims(self._connection).ensure(list(keys))
        names = {"provider": [provider for provider, _ in keys], "destination": [one for _, one in keys]}
        return [circuit_from_row(row) for row in (await self._connection.execute(_HOLD, names)).mappings()]

    async def hold_of(self, provider: str) -> list[Circuit]:
        """All circuits of the provider, until the transaction ends."""
        found = await self._connection.execute(_HOLD_OF_PROVIDER, {"provider": provider})
        return [circuit_from_row(row) for row in found.mappings()]

    async def save(self, circuits: Sequence[Circuit]) -> None:
        """Writes circuits that this transaction holds; their rates are left as they are."""
        if circuits:
            arrays = {one.name: [getattr(circuit, one.name) for circuit in circuits] for one in _WIRE}
            await self._connection.execute(_SAVE, arrays)

    async def begin(self, providers: Sequence[str]) -> None:
        """What a sender does first: lets paused circuits of its providers be probed at once, and forgets old ones."""
        await self._connection.execute(_PROBE_PAUSED, {"providers": list(providers)})
        await self._connection.execute(_FORGET)


def circuit_from_row(row: RowMapping) -> Circuit:
    fields: dict[str, Any] = dict(row)
    return Circuit(state=CircuitState(fields.pop("state")), **fields)
