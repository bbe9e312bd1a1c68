"""Kill after kill of workers under load: each hits a process that runs an attempt, while others run theirs."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

from chaos import evidence
from chaos.clients import Clients
from chaos.faults import Faults
from chaos.history import Answer
from chaos.installation import LOOK_SECONDS, installed
from chaos.load import drained, judged, loaded
from chaos.outcome import Outcome, Proof

LEASE_SECONDS = 1.5
WORKERS = 6
OPEN_JOBS = 12
SPARED = 2
"""So many more must be at work before one is killed: jobs get done in between."""
PATIENCE_SECONDS = 6.0
"""A kill: what a new process takes to start and to claim, twice on a busy machine."""


async def run(directory: Path, seed: str, kills: int) -> Outcome:
    chance = random.Random(f"{seed}-kills")  # noqa: S311 (a lot to be drawn again)
    async with installed(directory, chance, lease_seconds=LEASE_SECONDS) as made:
        made.serve()
        for _ in range(WORKERS):
            made.work(PERDURE_RUN_NOTIFIER="false")
        clients, faults = Clients(made, chance, open_jobs=OPEN_JOBS), Faults(made, chance)
        started = time.monotonic()
        async with loaded(made, clients):
            while len(faults.harm.killed) < kills and time.monotonic() - started < kills * PATIENCE_SECONDS:
                if await faults.running_workers() > SPARED:
                    await faults.kill_child()
                await asyncio.sleep(LOOK_SECONDS)
        seconds = time.monotonic() - started
        drain_seconds = await drained(made)
        figures, records = await judged(made, clients)
        hits = len(evidence.lost_workers(records) & faults.harm.killed)
        proofs = [
            Proof("workers killed", len(faults.harm.killed), kills),
            Proof("kills that hit a running attempt", hits, round(kills * 0.9)),
            Proof("jobs accepted", clients.history.counts()[Answer.ACCEPTED], kills),
        ]
        endings = evidence.endings(records)
        facts = {"seconds": round(seconds, 1), "drain seconds": round(drain_seconds, 1), "endings": dict(endings)}
        return Outcome("kills", figures, proofs, facts)
