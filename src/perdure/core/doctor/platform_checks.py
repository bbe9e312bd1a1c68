"""Whether the work gets done: read from the platform's own tables."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from perdure.clock import first_id_at
from perdure.core.api_keys import ApiKeys
from perdure.core.doctor.installation import DatabaseCheck, Installation
from perdure.core.doctor.server_checks import connections
from perdure.db import migrate
from perdure.db.session import Database
from perdure.errors import FileStoreElsewhere
from perdure.models.finding import Finding, Level
from perdure.repositories.doctor_queries import DoctorQueries
from perdure.repositories.file_repository import FileRepository

OVERDUE_AFTER = timedelta(minutes=1)
LOOKS_BACK = timedelta(days=1)
_SHOWN = 5


async def api_keys(installation: Installation, database: Database) -> Finding:
    """There is an API key that lives, or the server listens on this machine alone."""
    is_new = (await migrate.state(database)).current is None
    keys = [] if is_new else await ApiKeys(database).list()
    living = sum(key.is_live(database.clock.now()) for key in keys)
    if living:
        return Finding(Level.OK, f"{living} live, of {len(keys)}")
    if keys:
        return Finding(Level.WARN, "every key is revoked or expired", "Make one with `perdure keys create NAME`.")
    if installation.lets_others_in and not installation.will_make_key:
        return Finding(
            Level.FAIL,
            "PERDURE_HOST lets other machines in, and there is no key to ask them for: the server will not start",
            "Make one with `perdure keys create NAME --scope admin`, or set PERDURE_BOOTSTRAP_KEY.",
        )
    return Finding(Level.OK, "none yet; the server listens on this machine alone, or makes one at its first start")


async def workers(_installation: Installation, database: Database) -> Finding:
    """A worker is alive."""
    async with database.snapshot() as connection:
        found = await DoctorQueries(connection).workers()
    if not found["alive"]:
        return Finding(Level.WARN, "none is alive", "Start `perdure worker` (or `perdure dev`).")
    return Finding(Level.OK, f"{found['alive']} alive, on {found['machines']} machine(s)")


async def ready_jobs(_installation: Installation, database: Database) -> Finding:
    """Every ready job is of a type and in a queue that a living worker serves, and one that sees the files it names."""
    async with database.snapshot() as connection:
        unserved = await DoctorQueries(connection).unserved()
    unknown = [f"{job_type} in {queue}" for job_type, queue, wants_files in unserved if not wants_files]
    unseen = [f"{job_type} in {queue}" for job_type, queue, wants_files in unserved if wants_files]
    troubles = [
        (
            len(unknown),
            f"no living worker serves {_shown(unknown)}",
            "Start a worker that imports them (PERDURE_PROCESSORS) and serves these queues (PERDURE_QUEUES).",
        ),
        (
            len(unseen),
            f"no worker that sees the file store serves {_shown(unseen)}",
            "On the workers' machines, `perdure doctor` says of `shared_files` what to mend.",
        ),
    ]
    return _finding(troubles, otherwise="none waits for a worker that is not there")


async def deliveries(_installation: Installation, database: Database) -> Finding:
    """Deliveries are sent when due, and none of the last day was held up, skipped for want of settings or failed."""
    now = database.clock.now()
    async with database.snapshot() as connection:
        found = await DoctorQueries(connection).deliveries(now - OVERDUE_AFTER, first_id_at(now - LOOKS_BACK))
    troubles = [
        (
            found["overdue"],
            f"{found['overdue']} overdue: no notifier runs",
            "Start `perdure serve` or `perdure worker`, with PERDURE_RUN_NOTIFIER true.",
        ),
        (
            found["held"],
            f"{found['held']} held: calls to where they go fail or are refused",
            "`perdure providers list` shows where, and why.",
        ),
        (
            found["not_configured"],
            f"{found['not_configured']} of the last day skipped: provider_not_configured",
            "Set the provider's variables where the notifier runs.",
        ),
        (
            found["failed"],
            f"{found['failed']} of the last day failed",
            "`perdure deliveries list --status failed` shows them.",
        ),
    ]
    return _finding(troubles, otherwise="none is overdue, none of the last day was skipped or failed")


async def shared_files(installation: Installation, database: Database) -> Finding:
    """The folder `files` is the platform's file store, and no other that only looks like it."""
    async with database.snapshot() as connection:
        store_id = await FileRepository(connection).store_id()
    if store_id is None:
        return Finding(Level.OK, "there is no store yet; the first server makes its folder one")
    if await asyncio.to_thread(installation.files.identity) != store_id:
        raise FileStoreElsewhere(store_id)
    return Finding(Level.OK, "this folder is the platform's store")


def _finding(troubles: Sequence[tuple[int, str, str]], *, otherwise: str) -> Finding:
    """Of troubles (how many, what, what to do) those that are there, as one warning; ``otherwise`` if none is."""
    there = [(what, advice) for number, what, advice in troubles if number]
    if not there:
        return Finding(Level.OK, otherwise)
    return Finding(Level.WARN, "; ".join(what for what, _ in there), " ".join(advice for _, advice in there))


def _shown(kinds: list[str]) -> str:
    more = f" and {len(kinds) - _SHOWN} more" if len(kinds) > _SHOWN else ""
    return ", ".join(kinds[:_SHOWN]) + more


CHECKS: tuple[DatabaseCheck, ...] = (connections, api_keys, workers, ready_jobs, deliveries, shared_files)
