"""What calls of providers make of the circuits, which all processes share. Where all goes well nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.models.circuit import Call, Circuit, speaks_against
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


async def note_calls(
    connection: AsyncConnection, calls: Sequence[tuple[Call, Attempt | None]], now: datetime
) -> list[Change]:
    """Adds what the calls came to, in the caller's transaction; returns the circuits that changed their state.

    None: nobody was called after all, so a probe is still to be made. Only what failed, and what goes to where
    something failed lately, is of interest.
    """
    keys = {(call.provider, call.destination) for call, attempt in calls if _is_of_interest(call, attempt)}
    if not keys:
        return []
    repository = CircuitRepository(connection)
    held = {(circuit.provider, circuit.destination): circuit for circuit in await repository.hold(keys)}
    after = dict(held)
    for call, attempt in calls:
        key = call.provider, call.destination
        if key in after:
            after[key] = _concluded(after[key], call, attempt, now)
    await repository.save(list(after.values()))
    return [Change(held[key], circuit) for key, circuit in after.items() if circuit.state is not held[key].state]


def _is_of_interest(call: Call, attempt: Attempt | None) -> bool:
    if attempt is None:
        return call.was_probe
    return call.was_troubled or speaks_against(attempt)


def _concluded(circuit: Circuit, call: Call, attempt: Attempt | None, now: datetime) -> Circuit:
    if attempt is not None:
        return circuit.conclude(attempt, now, was_probe=call.was_probe)
    return circuit.unprobed() if call.was_probe else circuit
