"""What calls of providers make of the circuits, which all processes share. Where all goes well nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.models.circuit import FAILURES, Call, Circuit
from perdure.models.delivery import Attempt
from perdure.repositories.circuit_repository import CircuitRepository
from perdure.signals import CircuitChanged


@dataclass(frozen=True, slots=True)
class Change:
    """A circuit before and after."""

    before: Circuit
    after: Circuit

    def signal(self, by: str | None = None) -> CircuitChanged:
        after = self.after
        return CircuitChanged(
            provider=after.provider,
            destination=after.destination,
            state=after.state.value,
            before=self.before.state.value,
            status_code=after.status_code,
            error_type=after.error_type,
            message=after.message,
            by=by,
        )


async def note_calls(connection: AsyncConnection, calls: Sequence[tuple[Call, Attempt]], now: datetime) -> list[Change]:
    """Adds what the calls came to, in the caller's transaction; returns the circuits that changed their state.

    Only what failed, and what goes to where something failed lately, is of interest.
    """
    keys = {
        (call.provider, call.destination) for call, attempt in calls if call.was_troubled or attempt.verdict in FAILURES
    }
    if not keys:
        return []
    repository = CircuitRepository(connection)
    held = {(circuit.provider, circuit.destination): circuit for circuit in await repository.hold(keys)}
    after = dict(held)
    for call, attempt in calls:
        key = call.provider, call.destination
        if key in after:
            after[key] = after[key].conclude(attempt, now, was_probe=call.was_probe)
    await repository.save(list(after.values()))
    return [Change(held[key], circuit) for key, circuit in after.items() if circuit.state is not held[key].state]
