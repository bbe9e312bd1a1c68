"""The faults of a run, each drawn by lot and aimed: whoever is hit is at work when it happens.

The lot is seeded; when things happen is not, since real processes keep their own time. So a seed repeats what a run
decides, not its every moment.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from chaos.installation import LOOK_SECONDS, Installation
from chaos.processes import Program, kill

WINDOW_SECONDS = 5.0
"""How long a worker is kept away for another to take its jobs."""
ENDING_SECONDS = (0.05, 0.7)
"""An attempt that has so long to go is concluded soon, and under a good lease."""
_RUNNING = """
    SELECT job.job_id, job.fence, job.worker_id, worker.process_id,
           (job.payload -> 'seconds' ->> (least(job.attempt, 3) - 1))::float8
           - extract(epoch FROM clock_timestamp() - job.started_at)::float8 AS left_seconds
    FROM perdure.jobs AS job JOIN perdure.workers AS worker USING (worker_id)
    WHERE job.status = 'RUNNING' AND worker.lease_until > clock_timestamp()
    ORDER BY job.job_id
"""
_OVERTAKEN = """
    SELECT count(*) AS jobs FROM unnest($1::uuid[], $2::bigint[]) AS old(job_id, fence)
    JOIN perdure.jobs AS job USING (job_id) WHERE job.status = 'RUNNING' AND job.fence > old.fence
"""


@dataclass(slots=True)
class Harm:
    """What was done, and how often; and the workers that ran an attempt when they were killed."""

    done: Counter[str] = field(default_factory=Counter)
    killed: set[UUID] = field(default_factory=set)


class Faults:
    """The ways to hurt an installation."""

    def __init__(self, installation: Installation, chance: random.Random) -> None:
        self.harm = Harm()
        self._installation = installation
        self._chance = chance
        self._windows = asyncio.Semaphore(max(len(installation.workers) // 2, 1))  # others must be there to overtake

    async def run(self, agenda: Sequence[Agent]) -> None:
        """Every fault of the agenda over and over, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for fault, pause_seconds in agenda:
                group.create_task(self._repeat(fault, pause_seconds))

    async def _repeat(self, fault: Fault, pause_seconds: tuple[float, float]) -> None:
        while True:
            await asyncio.sleep(self._chance.uniform(*pause_seconds))
            await fault(self)

    async def running_workers(self) -> int:
        """How many processes run attempts."""
        return len({row["worker_id"] for _, row in await self._running()})

    async def kill_child(self) -> None:
        """Kills a process that runs attempts (kill -9, as below)."""
        if running := await self._running():
            _, row = self._chance.choice(running)
            kill(row["process_id"])
            self._killed(row, "children killed")

    async def kill_parent(self) -> None:
        """Kills a worker's first process while one below it runs attempts, which is left to notice."""
        if running := await self._running():
            program, row = self._chance.choice(running)
            program.kill_first()
            self._killed(row, "parents killed")

    async def kill_server(self) -> None:
        self._chance.choice(list(self._installation.servers.values())).kill_first()
        self.harm.done["servers killed"] += 1

    async def stop(self) -> None:
        """SIGSTOP of a worker with all its processes, and SIGCONT while another runs one of its jobs."""
        async with self._windows:
            running = await self._running()
            if not running:
                return
            program, _ = self._chance.choice(running)
            program.busy = True
            program.signal_all(signal.SIGSTOP)
            try:
                await self._overtaken(_jobs_of(program, running), "stopped until overtaken")
            finally:
                program.signal_all(signal.SIGCONT)
                program.busy = False

    async def hold(self) -> None:
        """Keeps all that a worker sends, its conclusions too, until another runs one of its jobs.

        So a conclusion that was sent under a good lease arrives under a lost one. No care of the worker can prevent
        that; the fence must.
        """
        async with self._windows:
            ending = [
                (program, row)
                for program, row in await self._running()
                if program.proxy is not None and ENDING_SECONDS[0] < row["left_seconds"] < ENDING_SECONDS[1]
            ]
            if not ending:
                return
            program, _ = self._chance.choice(ending)
            assert program.proxy is not None  # noqa: S101 (so it was chosen)
            program.busy = True
            program.proxy.hold()
            try:
                await self._overtaken(_jobs_of(program, ending), "held until overtaken")
            finally:
                program.proxy.release()
                program.busy = False

    async def disturb(self) -> None:
        """Something on the way to the database: an end, a reset, a lost reply, a delay."""
        proxies = [one.proxy for one in self._installation.programs if one.proxy is not None and not one.busy]
        proxy, done = self._chance.choice(proxies), self.harm.done
        match self._chance.choice(("end", "reset", "lose", "delay")):
            case "end":
                done["backends terminated"] += await self._installation.server.terminate_backend(self._chance)
            case "reset":
                done["connections reset"] += proxy.drop()
            case "lose":
                done["replies lost"] += await proxy.lose_replies(self._chance.uniform(0.05, 0.3))
            case _:
                done["delays"] += 1
                proxy.delay_seconds = self._chance.uniform(0.02, 0.2)
                try:
                    await asyncio.sleep(self._chance.uniform(0.5, 2.0))
                finally:
                    proxy.delay_seconds = 0.0

    async def restart_database(self) -> None:
        await self._installation.server.restart()
        self.harm.done["database restarts"] += 1

    async def _running(self) -> list[tuple[Program, asyncpg.Record]]:
        """The attempts under way, each with the program that it runs in; none of one that is being hurt."""
        programs = {
            process.pid: program
            for program in self._installation.workers
            if not program.busy
            for process in program.processes()
        }
        rows = await self._installation.server.query(_RUNNING)
        return [(programs[row["process_id"]], row) for row in rows if row["process_id"] in programs]

    async def _overtaken(self, jobs: Sequence[asyncpg.Record], what: str) -> None:
        """Waits until another attempt at one of the jobs is under way; counted only if that came."""
        old = [row["job_id"] for row in jobs], [row["fence"] for row in jobs]
        for _ in range(round(WINDOW_SECONDS / LOOK_SECONDS)):
            await asyncio.sleep(LOOK_SECONDS)
            [row] = await self._installation.server.query(_OVERTAKEN, *old)
            if row["jobs"]:
                self.harm.done[what] += 1
                return

    def _killed(self, row: asyncpg.Record, what: str) -> None:
        self.harm.done[what] += 1
        self.harm.killed.add(row["worker_id"])


def _jobs_of(program: Program, running: Sequence[tuple[Program, asyncpg.Record]]) -> list[asyncpg.Record]:
    return [row for other, row in running if other is program]


Fault = Callable[[Faults], Awaitable[None]]
Agent = tuple[Fault, tuple[float, float]]
"""A fault, and how many seconds pass between one and the next: at least, at most."""
