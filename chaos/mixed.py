"""Everything at once: kills, stops, a bad network, lost answers and crashes of the database, for some minutes."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path

from chaos import evidence, records
from chaos.clients import Clients
from chaos.faults import Faults
from chaos.history import Answer
from chaos.installation import Installation, installed
from chaos.load import drained, judged, loaded
from chaos.outcome import Outcome, Proof
from chaos.proxy import Proxy
from chaos.records import Records
from chaos.server import Server

LEASE_SECONDS = 1.5
OPEN_JOBS = 10
"""Fewer than there are slots (20): see ``clients``."""
CALM_SECONDS = 8.0
"""Of load without faults, but for commits reported as failed: what only the next fault would free must show."""
LONGER_SECONDS = 30.0
"""Time is added in pieces of this."""
AGENDA = (
    (Faults.kill_child, (5.0, 9.0)),
    (Faults.kill_parent, (12.0, 20.0)),
    (Faults.kill_server, (15.0, 25.0)),
    (Faults.stop, (1.0, 3.0)),
    (Faults.hold, (0.1, 0.6)),
    (Faults.disturb, (0.5, 1.5)),
    (Faults.restart_database, (18.0, 26.0)),
)


async def run(directory: Path, seed: str, minutes: float) -> Outcome:
    chance = random.Random(f"{seed}-mixed")  # noqa: S311 (a lot to be drawn again)
    async with AsyncExitStack() as opened:
        made = await opened.enter_async_context(installed(directory, chance, lease_seconds=LEASE_SECONDS))
        proxies = [await opened.enter_async_context(Proxy(made.server.url)) for _ in range(3)]
        made.serve()
        made.serve(proxies[0], ambiguous_share=0.1)
        made.work(processes=2)
        made.work()
        made.work(proxies[1])
        made.work(proxies[2], ambiguous_share=0.1)
        clients, faults = Clients(made, chance, open_jobs=OPEN_JOBS), Faults(made, chance)
        proofs = partial(_proofs, made, clients, faults, minutes)
        async with loaded(made, clients):
            seconds = await _hurt(faults, made.server, minutes, proofs)
            half_open = sum(proxy.forget() for proxy in proxies)
            await asyncio.sleep(CALM_SECONDS)
        drain_seconds = await drained(made)
        figures, found = await judged(made, clients)
        facts = {
            "seconds of faults": round(seconds),
            "drain seconds": round(drain_seconds),
            "submissions": {answer.value: count for answer, count in clients.history.counts().items()},
            "endings of attempts": dict(evidence.endings(found)),
            "faults": dict(faults.harm.done),
            "mails received more than once": sum(count > 1 for count in made.mail.received.values()),
        }
        return Outcome("mixed", figures, [*proofs(found), Proof("connections left half open", half_open, 3)], facts)


async def _hurt(faults: Faults, server: Server, minutes: float, proofs: Callable[[Records], Sequence[Proof]]) -> float:
    """Goes on for so long, and where a busy machine has kept too much from happening, for up to twice as long."""
    started = time.monotonic()
    seconds = minutes * 60
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(faults.run(AGENDA), seconds)
        passed = time.monotonic() - started
        seconds = LONGER_SECONDS
        if passed >= 2 * minutes * 60 or all(map(Proof.holds, proofs(await records.read(server)))):
            return passed


def _proofs(made: Installation, clients: Clients, faults: Faults, minutes: float, found: Records) -> list[Proof]:
    lost, done, endings = evidence.lost_workers(found), faults.harm.done, evidence.endings(found)

    def proof(what: str, count: int, a_minute: float) -> Proof:
        return Proof(what, count, max(round(a_minute * minutes), 1))

    return [
        proof("jobs accepted", clients.history.counts()[Answer.ACCEPTED], 40),
        proof("leases that ended with an attempt under them", len(lost), 8),
        proof("conclusions refused while a newer attempt ran", evidence.refused(made.workers, found), 5),
        proof("commits reported as failed", evidence.ambiguous_commits_of(made.programs), 20),
        proof("submissions in doubt that were stored", evidence.recovered(clients.history, found), 1),
        proof("kills that hit a running attempt", len(lost & faults.harm.killed), 3),
        proof("workers stopped until overtaken", done["stopped until overtaken"], 3),
        proof("workers held until overtaken", done["held until overtaken"], 3),
        proof("servers killed", done["servers killed"], 1.5),
        proof("database restarts", done["database restarts"], 1.5),
        proof("backends terminated", done["backends terminated"], 2),
        proof("connections reset", done["connections reset"] + done["replies lost"], 3),
        proof("jobs that failed", endings["FAILURE"], 4),
        proof("attempts that snoozed", endings["SNOOZED"], 3),
        proof("mails received", made.mail.received.total(), 30),
    ]
