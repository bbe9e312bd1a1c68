"""Runs the checks at the same time, each within its time; one that breaks is a finding too.

A check that builds on another waits for it: the schema is looked at once the database lets us in, the platform's
tables once they are there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from perdure.core.doctor import machine_checks, message_checks, platform_checks, server_checks
from perdure.core.doctor.installation import Installation
from perdure.db import migrate, refusals
from perdure.db.session import Database
from perdure.errors import PerdureError, Unavailable
from perdure.models.finding import Finding, Level

CHECK_SECONDS = 10.0
SETTINGS = "settings"
PROVIDERS = "providers"
"""The names under which it is said that the settings, or the providers made from them, are refused."""
CHECKS = (
    *(server_checks.database, *server_checks.CHECKS, server_checks.privileges, server_checks.migrations),
    *(*platform_checks.CHECKS, *machine_checks.CHECKS, *message_checks.CHECKS),
)
"""All but those that each provider brings along, which go by the provider's name; in the order of the findings."""

Named = tuple[str, Finding]


async def examine(installation: Installation) -> list[Named]:
    """What was found, under the name of its check."""
    database, machine, providers = await asyncio.gather(
        _database(installation),
        _together(
            [_found(check.__name__, check(installation)) for check in (*machine_checks.CHECKS, *message_checks.CHECKS)]
        ),
        _providers(installation),
    )
    return [*database, *machine, *providers]


async def _database(installation: Installation) -> list[Named]:
    name = server_checks.database.__name__
    try:
        async with installation.connect() as database:
            await database.read_clock()
            found = await _found(name, server_checks.database(installation, database))
            if _failed(found):
                return found
            more = [_found(check.__name__, check(installation, database)) for check in server_checks.CHECKS]
            return found + await _together([*more, _schema(installation, database)])
    except Unavailable as error:
        reason, advice = refusals.explain(error.__cause__)
        return [(name, Finding(Level.FAIL, reason, advice))]
    except Exception as error:  # noqa: BLE001 (as in ``_found``)
        return [(name, _explained(error))]


async def _schema(installation: Installation, database: Database) -> list[Named]:
    found: list[Named] = []
    for gate in (server_checks.privileges, server_checks.migrations):
        found += await _found(gate.__name__, gate(installation, database))
        if _failed(found):
            return found
    state = await migrate.state(database)
    checks = platform_checks.CHECKS
    if state.missing:  # the next start makes what the others would look at
        checks = (platform_checks.api_keys,) if state.current is None else ()
    return found + await _together([_found(check.__name__, check(installation, database)) for check in checks])


async def _providers(installation: Installation) -> list[Named]:
    try:
        registry = installation.providers()
    except PerdureError as error:
        return [(PROVIDERS, Finding(Level.FAIL, error.detail))]
    try:
        return await _together([_found(provider.name, provider.check()) for provider in registry])
    finally:
        await registry.aclose()


async def _found(name: str, check: Awaitable[Finding | Sequence[Finding]]) -> list[Named]:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            found = await check
    except Exception as error:  # noqa: BLE001 (a doctor that breaks helps nobody)
        found = _explained(error)
    return [(name, one) for one in ([found] if isinstance(found, Finding) else found)]


def _explained(error: Exception) -> Finding:
    """What an error says about the set-up. Of those that are not ours only the kind: their words may hold a secret."""
    match error:
        case PerdureError():
            return Finding(Level.FAIL, error.detail)
        case TimeoutError():
            return Finding(Level.WARN, f"no result within {CHECK_SECONDS:.0f} s", "Try again when there is less to do.")
        case OSError():
            return Finding(Level.FAIL, f"the system refuses it: {error.strerror}", "Check what this process may do.")
        case _:
            kind = type(error).__name__
            return Finding(Level.FAIL, f"the check itself failed ({kind})", "Report it with the other findings.")


async def _together(checks: Sequence[Awaitable[list[Named]]]) -> list[Named]:
    return [one for several in await asyncio.gather(*checks) for one in several]


def _failed(found: Sequence[Named]) -> bool:
    return found[-1][1].level is Level.FAIL
